"""mnist-sigmoid in JAX: a pure function of a dict of arrays, trained by optax's Adam with epsilon where TensorFlow has it."""

import optax

from samestep.experiments.images import binarised, normalised_rows
from samestep.experiments.mnist_softmax.jax import adam, forward, initial_params
from samestep.frameworks.jax import Program


def prepare(x, y):
    return normalised_rows(x), binarised(y)


def build(input_shape):
    return Program(
        forward,
        initial_params(input_shape),
        loss=loss,
        optimizer=adam(learning_rate=0.001, eps=1e-7),
        metrics={"accuracy": accuracy},
    )


def loss(logits, labels):
    return optax.sigmoid_binary_cross_entropy(logits, labels).mean()


def accuracy(logits, labels):
    """The share of all labels, rows times classes, that a probability above one half gets right."""
    return ((logits > 0) == labels).mean()
