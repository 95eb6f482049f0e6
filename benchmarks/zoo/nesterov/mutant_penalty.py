"""The penalty has a factor of one half, as PyTorch's weight_decay would."""

from right import build as port

EXPECTED = "loss"


def build():
    return port(factor=0.005)
