"""PyTorch's default GELU, by the error function."""

from right import build as port

EXPECTED = "forward: gelu"


def build():
    return port(approximate="none")
