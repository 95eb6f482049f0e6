"""Flax linen: the same."""

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program


class Net(nn.Module):
    pool: object = jnp.mean

    @nn.compact
    def __call__(self, x):
        x = self.pool(nn.Embed(20, 8, name="embedding")(x), axis=1)
        return nn.Dense(3, name="head")(nn.relu(nn.Dense(6, name="hidden")(x)))


def build(seed, pool=jnp.mean):
    model = Net(pool)
    variables = model.init(jax.random.key(seed), jnp.zeros((1, 10), int))
    optimizer = optax.sgd(0.5, momentum=0.5)
    return Program(model, variables, loss=loss, optimizer=optimizer, metrics={"accuracy": accuracy})


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).mean()
