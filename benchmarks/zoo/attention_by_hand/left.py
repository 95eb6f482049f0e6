"""Flax nnx: multi-head self-attention."""

import optax
from flax import nnx

from samestep.frameworks.jax import Program

DATA = "sequences"


class Net(nnx.Module):
    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(
            num_heads=3, in_features=6, qkv_features=12, out_features=6, decode=False, rngs=rngs
        )
        self.head = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.attention(x).mean(1))


def build(seed):
    return Program(Net(nnx.Rngs(seed)), loss=loss, optimizer=optax.adam(0.01))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
