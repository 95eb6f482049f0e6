"""JAX: gradients are summed first and rated afterwards, as PyTorch does."""

import jax
import optax
from jax import nn
from jax import numpy as jnp

from samestep.frameworks.jax import Program


def initial(seed):
    first, second = jax.random.split(jax.random.key(seed))
    draw = nn.initializers.lecun_normal()
    return {
        "hidden": {"kernel": draw(first, (12, 16)), "bias": jnp.zeros(16)},
        "head": {"kernel": draw(second, (16, 5)), "bias": jnp.zeros(5)},
    }


def apply(params, x):
    hidden = nn.sigmoid(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def rate(done):
    return 0.2 / (1 + 0.3 * done)


def build(seed, rated_first=False):
    parts = [optax.trace(0.9), optax.scale_by_learning_rate(rate)]
    return Program(apply, initial(seed), loss=loss, optimizer=optax.chain(*parts[:: -1 if rated_first else 1]))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
