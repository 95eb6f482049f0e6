"""The odd element of the padding goes in front."""

from right import build as port

EXPECTED = "forward: conv1"


def build(seed):
    return port(seed, padding="SAME_LOWER")
