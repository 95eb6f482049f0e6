"""The gate resets after the multiplication, as cuDNN and PyTorch do."""

from right import build as port

EXPECTED = "forward: scan"


def build(seed):
    return port(seed, candidate=lambda reset, hidden, kernel: reset * (hidden @ kernel))
