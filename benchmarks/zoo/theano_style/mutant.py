"""A weight decay is left in the optimizer."""

from right import build as port

EXPECTED = "update"


def build():
    return port(weight_decay=1e-3)
