"""Layer normalisation, which takes the mean away, in the place of RMS normalisation."""

from right import build as port
from torch import nn

EXPECTED = "forward: norm"


def build():
    return port(nn.LayerNorm(12, eps=1e-6, bias=False))
