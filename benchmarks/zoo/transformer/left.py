"""Flax nnx: a transformer encoder over tokens with learned positions, trained by AdamW."""

import optax
from flax import nnx
from jax import numpy as jnp

from samestep.frameworks.jax import Program

DATA = "tokens"


class Block(nnx.Module):
    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(num_heads=2, in_features=8, decode=False, rngs=rngs)
        self.norm1, self.norm2 = nnx.LayerNorm(8, rngs=rngs), nnx.LayerNorm(8, rngs=rngs)
        self.widen, self.narrow = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)

    def __call__(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.narrow(nnx.relu(self.widen(x))))


class Net(nnx.Module):
    def __init__(self, rngs):
        self.tokens = nnx.Embed(20, 8, rngs=rngs)
        self.positions = nnx.Embed(10, 8, rngs=rngs)
        self.block1, self.block2 = Block(rngs), Block(rngs)
        self.head = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        x = self.tokens(x) + self.positions(jnp.arange(10))
        return self.head(self.block2(self.block1(x)).mean(1))


def build(seed):
    return Program(Net(nnx.Rngs(seed)), loss=loss, optimizer=optax.adamw(0.01, weight_decay=0.1))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
