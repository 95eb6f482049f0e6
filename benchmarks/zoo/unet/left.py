"""Flax linen: a small U-Net that names each pixel's class."""

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program

DATA = "pixels"


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        top = nn.relu(nn.Conv(6, (3, 3), name="down1")(x))
        middle = nn.relu(nn.Conv(8, (3, 3), name="down2")(nn.max_pool(top, (2, 2), (2, 2))))
        x = nn.relu(nn.Conv(10, (3, 3), name="bottom")(nn.avg_pool(middle, (2, 2), (2, 2))))
        x = nn.relu(nn.ConvTranspose(8, (2, 2), (2, 2), name="up2")(x))
        x = nn.relu(nn.Conv(6, (3, 3), name="join2")(jnp.concatenate([x, middle], -1)))
        x = jax.image.resize(x, (len(x), 8, 8, 6), "nearest")
        x = nn.relu(nn.Conv(6, (3, 3), name="join1")(jnp.concatenate([x, top], -1)))
        return nn.Conv(4, (1, 1), name="head")(x)


def build(seed):
    model = Net()
    variables = model.init(jax.random.key(seed), jnp.zeros((1, 8, 8, 3)))
    return Program(model, variables, loss=loss, optimizer=optax.adam(0.003))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
