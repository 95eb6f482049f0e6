"""The block's input is added behind the activation."""

from right import build as port

EXPECTED = "forward: Block.__call__/add"


def build():
    return port(join=lambda x, inner: x + inner.relu())
