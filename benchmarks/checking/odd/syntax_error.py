"""A syntax error on the third line."""

if True print("never")
