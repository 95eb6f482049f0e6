"""Layers are normalised in front of the attention."""

from right import build as port

EXPECTED = "forward: block1"


def build():
    return port(norm_first=True)
