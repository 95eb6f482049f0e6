"""JAX: optax's RMSprop with Keras's decay and epsilon."""

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


def apply(params, x):
    hidden = nn.silu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def build(seed, **options):
    options = {"decay": 0.9, "eps": 1e-7, **options}
    return Program(apply, initial(seed), loss=loss, optimizer=optax.rmsprop(0.01, **options))


def loss(outputs, targets):
    return ((outputs - targets) ** 2).mean()
