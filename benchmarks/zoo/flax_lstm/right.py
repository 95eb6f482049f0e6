"""Flax linen: an LSTM with a kernel for each gate."""

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program


class Net(nn.Module):
    gate: object = nn.sigmoid

    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.LSTMCell(7, gate_fn=self.gate), name="lstm")(x)
        return nn.Dense(3, name="head")(x.mean(1))


def build(seed, gate=nn.sigmoid):
    model = Net(gate)
    variables = model.init(jax.random.key(seed), jnp.zeros((1, 9, 6)))
    return Program(model, variables, loss=loss, optimizer=optax.adam(0.01))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
