"""The weight of the second loss is forgotten."""

from right import build as port

EXPECTED = "loss"


def build():
    return port(weight=1.0)
