"""sequence in JAX: a pure function of a dict of arrays, trained by optax."""

import jax
import jax.numpy as jnp

from samestep.experiments.mnist_softmax.jax import adam
from samestep.frameworks.jax import Program


def build(input_shape, seed):
    keys = jax.random.split(jax.random.key(seed))
    params = {"dense": dense(keys[0], input_shape[0], 10), "dense_1": dense(keys[1], 10, 1)}
    return Program(forward, params, loss=loss, optimizer=adam(learning_rate=0.001, eps=1e-7))


def forward(params, x):
    hidden = x @ params["dense"]["kernel"] + params["dense"]["bias"]
    return hidden @ params["dense_1"]["kernel"] + params["dense_1"]["bias"]


def loss(outputs, targets):
    return jnp.mean((outputs - targets) ** 2)


def dense(key, size, units):
    """A layer's weights as Glorot and Bengio 2010 draw them, and biases of zero."""
    return {"kernel": jax.nn.initializers.glorot_uniform()(key, (size, units)), "bias": jnp.zeros(units)}
