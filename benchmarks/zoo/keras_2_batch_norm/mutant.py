"""Keras's default momentum."""

from right import build as port

EXPECTED = "buffers: norm"


def build():
    return port(momentum=0.99)
