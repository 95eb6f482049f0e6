"""JAX's default GELU, by an approximation with tanh."""

from right import build as port

EXPECTED = "forward: hidden"


def build(seed):
    return port(seed, approximate=True)
