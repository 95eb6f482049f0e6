"""The rate decays smoothly."""

from right import build as port
from torch import optim

EXPECTED = "schedule"


def build():
    return port(scheduler=lambda optimizer: optim.lr_scheduler.ExponentialLR(optimizer, 0.7**0.25))
