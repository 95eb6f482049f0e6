"""Padding of 1 on every side, as nn.Conv2d(padding=1) has it."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: conv1"


def build():
    return port(padding=(1, 1, 1, 1))
