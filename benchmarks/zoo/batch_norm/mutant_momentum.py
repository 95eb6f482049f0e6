"""Keras's momentum of 0.9 is handed to PyTorch, which means 0.1 by it."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "buffers: norm1"


def build():
    return port(momentum=0.9)
