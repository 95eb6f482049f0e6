"""mnist-softmax in JAX: a pure function of a dict of arrays, trained by optax's Adam with epsilon where TensorFlow has it."""

import jax
import jax.numpy as jnp
import optax

from samestep.experiments.images import normalised_rows
from samestep.frameworks.jax import Program

LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    return Program(
        forward,
        initial_params(input_shape),
        loss=loss,
        optimizer=adam(learning_rate=0.001, eps=1e-7),
        metrics={"accuracy": accuracy},
    )


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-7):
    """Adam in the form at the end of section 2 of Kingma and Ba 2015, as TensorFlow and Keras have it.

    Epsilon is added to the root of the second moment as it is, and not after the correction of its bias, where the same
    number counts for less: by the root of 1 - b2, some 30 times, in the first update.
    """

    def update(gradients, state, params=None):
        corrected = eps / jnp.sqrt(1 - b2 ** (state.count + 1))
        return optax.scale_by_adam(b1, b2, corrected).update(gradients, state, params)

    scale_by_adam = optax.GradientTransformation(optax.scale_by_adam(b1, b2).init, update)
    return optax.chain(scale_by_adam, optax.scale_by_learning_rate(learning_rate))


def initial_params(input_shape):
    sizes = input_shape + LAYERS
    return {
        "dense_{}".format(i): {
            "kernel": glorot_uniform((sizes[i], sizes[i + 1]), seed=i + 1),
            "bias": jnp.zeros(sizes[i + 1]),
        }
        for i in range(3)
    }


def forward(params, x):
    hidden = jax.nn.relu(dense(params["dense_0"], x))
    hidden = jax.nn.relu(dense(params["dense_1"], hidden))
    return dense(params["dense_2"], hidden)


def dense(params, x):
    return x @ params["kernel"] + params["bias"]


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits, labels):
    return (logits.argmax(axis=1) == labels).mean()


def glorot_uniform(shape, seed):
    """Glorot and Bengio 2010."""
    return jax.nn.initializers.glorot_uniform()(jax.random.key(seed), shape)
