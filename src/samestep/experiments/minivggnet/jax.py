"""minivggnet in JAX: a Flax linen module, and optax with a schedule for the decay."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from samestep.experiments.images import one_hot, scaled
from samestep.experiments.minivggnet import DECAY, RATE
from samestep.frameworks.jax import Program

glorot_uniform = nn.initializers.glorot_uniform()


def prepare(x, y):
    return scaled(x), one_hot(y)


def build(input_shape, seed):
    model = MiniVGGNet()
    variables = model.init(jax.random.key(seed), jnp.zeros((1, *input_shape)))
    return Program(
        model,
        variables,
        loss=loss,
        optimizer=optax.sgd(lambda updates: RATE / (1 + DECAY * updates)),
        metrics={"accuracy": accuracy},
    )


class MiniVGGNet(nn.Module):
    """The network of VGG's kind, with normalisation after each activation."""

    @nn.compact
    def __call__(self, x, training=False):
        """Logits (N, 10) of images (N, height, width, 3)."""
        for filters in (32, 64):
            for _ in range(2):
                x = nn.relu(nn.Conv(filters, (3, 3), kernel_init=glorot_uniform)(x))
                x = normalised(x, training)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.Dropout(0.25, deterministic=not training)(x)
        x = nn.relu(nn.Dense(512, kernel_init=glorot_uniform)(x.reshape(len(x), -1)))
        x = nn.Dropout(0.5, deterministic=not training)(normalised(x, training))
        return nn.Dense(10, kernel_init=glorot_uniform)(x)


def normalised(x, training):
    # the fast variance, a mean of squares less the square of the mean, rounds far more than Keras's
    return nn.BatchNorm(not training, momentum=0.99, epsilon=1e-3, use_fast_variance=False)(x)


def loss(logits, targets):
    return optax.softmax_cross_entropy(logits, targets).mean()


def accuracy(logits, targets):
    return (logits.argmax(axis=1) == targets.argmax(axis=1)).mean()
