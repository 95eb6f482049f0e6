"""Flax linen: grouped convolutions with channels shuffled between them."""

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program

DATA = "images"


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(12, (3, 3), padding="VALID", feature_group_count=3, name="conv1")(x))
        x = x.reshape(*x.shape[:3], 3, 4).swapaxes(3, 4).reshape(x.shape)
        x = nn.relu(nn.Conv(8, (3, 3), padding="SAME", feature_group_count=2, name="conv2")(x))
        return nn.Dense(5, name="head")(x.mean((1, 2)))


def build(seed):
    model = Net()
    variables = model.init(jax.random.key(seed), jnp.zeros((1, 8, 8, 3)))
    return Program(model, variables, loss=loss, optimizer=optax.sgd(0.05, momentum=0.9))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
