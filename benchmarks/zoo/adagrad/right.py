"""JAX: optax's Adagrad, with Keras's epsilon and exact GELU."""

import jax
import optax
from jax import nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program


def initial(seed):
    first, second = jax.random.split(jax.random.key(seed))
    draw = nn.initializers.glorot_uniform()
    return {
        "hidden": {"kernel": draw(first, (12, 16)), "bias": jnp.zeros(16)},
        "head": {"kernel": draw(second, (16, 3)), "bias": jnp.zeros(3)},
    }


def build(seed, approximate=False, start=0.1):
    def apply(params, x):
        hidden = nn.gelu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"], approximate)
        return hidden @ params["head"]["kernel"] + params["head"]["bias"]

    optimizer = optax.adagrad(0.1, start, eps=1e-7)
    return Program(apply, initial(seed), loss=loss, optimizer=optimizer, metrics={"mse": mse})


def loss(outputs, targets):
    return jnp.abs(outputs - targets).mean()


def mse(outputs, targets):
    return ((outputs - targets) ** 2).mean()
