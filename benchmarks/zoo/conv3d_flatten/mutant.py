"""The loss is summed over the batch."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "loss"


def build():
    return port(reduction="sum")
