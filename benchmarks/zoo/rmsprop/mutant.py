"""Epsilon is added behind the root, as PyTorch does."""

from right import build as port

EXPECTED = "update"


def build(seed):
    return port(seed, eps_in_sqrt=False)
