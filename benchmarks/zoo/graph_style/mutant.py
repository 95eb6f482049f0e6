"""The loss is summed over the classes."""

from right import build as port

EXPECTED = "loss"


def build(seed):
    return port(seed, reduce=lambda losses: losses.sum(1).mean())
