"""Dropout in Flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from samestep.frameworks.jax import Program


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(nn.Dense(16)(x)))
        return nn.Dense(5)(x)


def build():
    net = Net()
    variables = net.init(jax.random.key(0), jnp.zeros((2, 12)), train=False)
    return Program(net, variables, loss=loss, optimizer=optax.sgd(0.05))


def loss(outputs, targets):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()
