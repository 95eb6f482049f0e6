"""Channels are shuffled by the groups of the next convolution and not by those of the last one."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: conv2"


def build():
    return port(groups=2)
