"""What is summed are gradients times the rate of their own time, as Keras does."""

from right import build as port

EXPECTED = "update"


def build(seed):
    return port(seed, rated_first=True)
