"""sequence in base TensorFlow 2: variables, functions of tensors, tf.optimizers."""

import numpy as np
import tensorflow as tf

from samestep.frameworks.tensorflow import Program


def build(input_shape):
    kernels = [tf.Variable(glorot_uniform(shape)) for shape in ((input_shape[0], 10), (10, 1))]
    biases = [tf.Variable(tf.zeros(size)) for size in (10, 1)]

    def forward(x):
        hidden = tf.matmul(x, kernels[0]) + biases[0]
        return tf.matmul(hidden, kernels[1]) + biases[1]

    return Program(
        forward,
        variables=[variable for pair in zip(kernels, biases) for variable in pair],
        loss=loss,
        optimizer=tf.optimizers.Adam(learning_rate=0.001, epsilon=1e-7),
    )


def loss(outputs, targets):
    return tf.reduce_mean(tf.square(outputs - targets))


def glorot_uniform(shape):
    """Glorot and Bengio 2010, from TensorFlow's global generator."""
    limit = np.sqrt(6.0 / sum(shape))
    return tf.random.uniform(shape, -limit, limit)
