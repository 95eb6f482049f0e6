"""The first dropout is switched off."""

from right import build as port

EXPECTED = "forward: drop1"


def build():
    return port(dropped=0.0)
