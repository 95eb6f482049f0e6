"""JAX: the same convolutions as functions of arrays."""

import jax
import optax
from jax import lax, nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program

SHAPES = {"conv1": (4, 4, 8), "conv2": (3, 8, 6), "head": (18, 5)}


def initial(seed):
    keys = jax.random.split(jax.random.key(seed), len(SHAPES))
    draw = nn.initializers.glorot_uniform()
    return {
        name: {"kernel": draw(key, shape), "bias": jnp.zeros(shape[-1])}
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }


def convolve(x, layer, stride, padding):
    y = lax.conv_general_dilated(x, layer["kernel"], (stride,), padding, dimension_numbers=("NWC", "WIO", "NWC"))
    return y + layer["bias"]


def build(seed, padding="SAME"):
    def apply(params, x):
        x = nn.relu(convolve(x, params["conv1"], 1, padding))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 1), (1, 2, 1), "VALID")
        x = nn.relu(convolve(x, params["conv2"], 2, "VALID"))
        return x.reshape(len(x), -1) @ params["head"]["kernel"] + params["head"]["bias"]

    return Program(apply, initial(seed), loss=loss, optimizer=optax.sgd(0.02, momentum=0.9))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
