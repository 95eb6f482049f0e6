"""User 0 is taken for padding and gets no gradient."""

from right import build as port

EXPECTED = "gradients: known"


def build():
    return port(padding=0)
