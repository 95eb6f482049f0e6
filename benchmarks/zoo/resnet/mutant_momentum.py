"""The momentum is a moving average of gradients and not their sum."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "update"


def build():
    return port(dampening=0.9)
