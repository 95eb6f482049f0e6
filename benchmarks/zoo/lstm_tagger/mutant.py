"""Padding is not masked."""

from right import build as port

EXPECTED = "forward: forward_lstm"


def build():
    return port(masked=False)
