"""Two groups of four channels where there should be four of two."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: norm"


def build():
    return port(groups=2)
