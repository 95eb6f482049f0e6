"""PyTorch's default epsilon of 1e-5 where Flax has 1e-6."""

from right import build as port

EXPECTED = "forward: norm"


def build():
    return port(epsilon=1e-5)
