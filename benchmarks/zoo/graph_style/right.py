"""JAX: the same perceptron."""

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
        "head": {"kernel": draw(second, (16, 5)), "bias": jnp.zeros(5)},
    }


def apply(params, x):
    hidden = nn.relu6(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def build(seed, reduce=jnp.mean):
    def loss(logits, labels):
        return reduce(optax.sigmoid_binary_cross_entropy(logits, nn.one_hot(labels, 5)))

    optimizer = optax.sgd(0.1, momentum=0.9)
    return Program(apply, initial(seed), loss=loss, optimizer=optimizer, metrics={"accuracy": accuracy})


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).mean()
