"""AdamW's default weight decay."""

from right import build as port

EXPECTED = "update"


def build():
    return port(decay=0.004)
