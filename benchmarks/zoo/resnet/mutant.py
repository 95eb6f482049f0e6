"""The second convolution of the block has the stride, as in another version of the architecture."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: block2"


def build():
    return port(strides=(1, 2))
