"""The embedding gets no gradient from its use as the output projection."""

from right import build as port

EXPECTED = "gradients: embedding"


def build():
    return port(detached=True)
