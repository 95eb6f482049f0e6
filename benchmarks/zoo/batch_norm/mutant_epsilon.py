"""PyTorch's default epsilon of 1e-5 where Keras has 1e-3."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: norm1"


def build():
    return port(eps=1e-5)
