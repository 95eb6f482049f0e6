"""Flax linen: layer normalisation and GELU, trained by Adam."""

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program

DATA = "vectors"


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(16, name="hidden")(x)
        x = nn.gelu(nn.LayerNorm(name="norm")(x))
        return nn.Dense(5, name="head")(x)


def build(seed):
    model = Net()
    variables = model.init(jax.random.key(seed), jnp.zeros((1, 12)))
    return Program(model, variables, loss=loss, optimizer=optax.adam(0.01))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
