"""The pooling is padded with zeros, which are larger than what is negative."""

from right import build as port
from right import prepare  # noqa: F401
from torch.nn import functional

EXPECTED = "forward: pool"


def build():
    return port(pool=lambda x: functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 3, 2))
