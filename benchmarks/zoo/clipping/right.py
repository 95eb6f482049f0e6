"""JAX: the same clipping by optax."""

import jax
import optax
from jax import numpy as jnp

from samestep.frameworks.jax import Program

SHAPES = {"kernel": (6, 7), "recurrent": (7, 7), "head": (7, 3)}


def initial(seed):
    keys = jax.random.split(jax.random.key(seed), len(SHAPES))
    params = {n: 0.3 * jax.random.normal(key, shape) for key, (n, shape) in zip(keys, SHAPES.items(), strict=True)}
    return {**params, "rnn_bias": jnp.zeros(7), "head_bias": jnp.zeros(3)}


def apply(params, x):
    def cell(hidden, now):
        return jnp.tanh(now @ params["kernel"] + hidden @ params["recurrent"] + params["rnn_bias"]), None

    hidden, _ = jax.lax.scan(cell, jnp.zeros((len(x), 7)), x.swapaxes(0, 1))
    return hidden @ params["head"] + params["head_bias"]


def build(seed, clip=optax.clip_by_global_norm):
    return Program(apply, initial(seed), loss=loss, optimizer=optax.chain(clip(0.2), optax.sgd(0.5)))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
