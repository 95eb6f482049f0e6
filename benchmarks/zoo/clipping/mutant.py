"""Each element of a gradient is clipped by its value."""

import optax
from right import build as port

EXPECTED = "update"


def build(seed):
    return port(seed, clip=optax.clip)
