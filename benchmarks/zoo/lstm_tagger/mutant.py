"""Padding is not masked."""

from right import build as port

EXPECTED = "forward: both"


def build():
    return port(masked=False)
