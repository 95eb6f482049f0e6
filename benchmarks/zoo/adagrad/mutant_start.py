"""The sum of squares starts from zero."""

from right import build as port

EXPECTED = "init"


def build(seed):
    return port(seed, start=0.0)
