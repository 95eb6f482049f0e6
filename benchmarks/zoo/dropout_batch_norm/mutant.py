"""The share that is kept is given as the one to drop."""

from right import build as port

EXPECTED = "forward: drop1"


def build():
    return port(dropped=0.7)
