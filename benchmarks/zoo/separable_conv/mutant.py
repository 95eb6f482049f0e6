"""An activation between the depthwise and the pointwise half, as MobileNet has it and SeparableConv2D has not."""

from right import build as port
from right import prepare  # noqa: F401
from torch import nn

EXPECTED = "forward: separable"


def build():
    return port(between=nn.ReLU())
