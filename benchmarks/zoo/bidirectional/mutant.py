"""The outputs at the last token are taken, where the backward half has seen one token only."""

from right import build as port

EXPECTED = "forward: both"


def build():
    return port(last_token=True)
