"""The gates are piecewise linear, as those of old Keras were."""

from flax import linen as nn
from right import build as port

EXPECTED = "forward: lstm"


def build(seed):
    return port(seed, gate=nn.hard_sigmoid)
