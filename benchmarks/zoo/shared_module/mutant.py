"""The squared distance in the place of the absolute one."""

import torch
from right import build as port

EXPECTED = "forward: abs"


def build():
    return port(distance=torch.square)
