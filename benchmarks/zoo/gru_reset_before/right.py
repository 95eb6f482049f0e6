"""JAX: the same cell by hand, its gates in Keras's order."""

import jax
import optax
from jax import nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program

UNITS = 7


def initial(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    draw = nn.initializers.glorot_uniform()
    return {
        "gru": {
            "kernel": draw(keys[0], (6, 3 * UNITS)),
            "recurrent": nn.initializers.orthogonal()(keys[1], (UNITS, 3 * UNITS)),
            "bias": jnp.zeros(3 * UNITS),
        },
        "head": {"kernel": draw(keys[2], (UNITS, 3)), "bias": jnp.zeros(3)},
    }


def reset_before(reset, hidden, kernel):
    return (reset * hidden) @ kernel


def build(seed, candidate=reset_before):
    def cell(gru, hidden, x):
        z, r, n = jnp.split(x @ gru["kernel"] + gru["bias"], 3, axis=-1)
        to_z, to_r, to_n = jnp.split(gru["recurrent"], 3, axis=-1)
        update, reset = nn.sigmoid(z + hidden @ to_z), nn.sigmoid(r + hidden @ to_r)
        new = jnp.tanh(n + candidate(reset, hidden, to_n))
        return update * hidden + (1 - update) * new, None

    def apply(params, x):
        start = jnp.zeros((len(x), UNITS))
        hidden, _ = jax.lax.scan(lambda h, now: cell(params["gru"], h, now), start, x.swapaxes(0, 1))
        return hidden @ params["head"]["kernel"] + params["head"]["bias"]

    return Program(apply, initial(seed), loss=loss, optimizer=optax.sgd(0.1))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
