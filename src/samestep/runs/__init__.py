"""Recorded runs: a folder that holds what one training did, update by update.

format.py   the names, the Arrow schema of a segment, the schema of the manifest, the sums that guard each piece
writing.py  what the recording process sends, into a folder
reading.py  a folder, into views of its rows; what was cut or damaged is said and left out
diffing.py  two runs, into the first difference in causal order

docs/reference/run-format.md is the format's page.
"""
