"""PyTorch's own layers: the moving average takes the unbiased variance."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "buffers: norm1"


def build():
    return port(of=lambda norm: norm)
