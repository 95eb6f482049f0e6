"""PyTorch's default decay of 0.99 where Keras has 0.9."""

from right import build as port

EXPECTED = "update"


def build(seed):
    return port(seed, decay=0.99)
