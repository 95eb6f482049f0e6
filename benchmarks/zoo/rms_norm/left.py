"""Flax nnx: RMS normalisation in a gated block."""

import optax
from flax import nnx

from samestep.frameworks.jax import Program

DATA = "vectors"


class Net(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.RMSNorm(12, rngs=rngs)
        self.gate = nnx.Linear(12, 16, rngs=rngs)
        self.value = nnx.Linear(12, 16, use_bias=False, rngs=rngs)
        self.head = nnx.Linear(16, 5, rngs=rngs)

    def __call__(self, x):
        x = self.norm(x)
        return self.head(nnx.silu(self.gate(x)) * self.value(x))


def build(seed):
    return Program(Net(nnx.Rngs(seed)), loss=loss, optimizer=optax.adam(0.01))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
