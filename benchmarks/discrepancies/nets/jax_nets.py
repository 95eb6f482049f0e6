"""JAX: a Program of a pure function, or of a Flax linen module."""

import jax
import optax
from jax import nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program


def cross_entropy(logits, labels):
    """The mean over rows."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def trained(module, seed, shape, optimizer=None, loss=cross_entropy, dtype=jnp.float32, **options):
    """A Flax module; shape: of one row. Plain SGD if no other optimizer is named."""
    variables = module.init(jax.random.key(seed), jnp.zeros((1, *shape), dtype))
    return Program(module, variables, loss=loss, optimizer=optimizer or optax.sgd(0.1), **options)


def perceptron(seed, optimizer=None, loss=cross_entropy, units=3, apply=None, **options):
    """12 inputs, 16 hidden units with tanh, 3 outputs."""
    first, second = jax.random.split(jax.random.key(seed))
    draw = nn.initializers.glorot_uniform()
    params = {
        "hidden": {"kernel": draw(first, (12, 16)), "bias": jnp.zeros(16)},
        "head": {"kernel": draw(second, (16, units)), "bias": jnp.zeros(units)},
    }
    return Program(apply or logits, params, loss=loss, optimizer=optimizer or optax.sgd(0.1), **options)


def logits(params, x):
    """What that perceptron computes."""
    hidden = jnp.tanh(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]
