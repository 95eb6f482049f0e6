"""mnist-softmax in base TensorFlow 2: variables, functions of tensors, tf.optimizers."""

import numpy as np
import tensorflow as tf

from samestep.experiments.images import normalised_rows
from samestep.frameworks.tensorflow import Program

LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    sizes = input_shape + LAYERS
    kernels = [
        tf.Variable(glorot_uniform((sizes[i], sizes[i + 1]), seed=i + 1), name="kernel_{}".format(i)) for i in range(3)
    ]
    biases = [tf.Variable(tf.zeros(sizes[i + 1]), name="bias_{}".format(i)) for i in range(3)]

    def forward(x):
        hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, kernels[0]), biases[0]))
        hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(hidden, kernels[1]), biases[1]))
        return tf.nn.bias_add(tf.matmul(hidden, kernels[2]), biases[2])

    return Program(
        forward,
        variables=[variable for pair in zip(kernels, biases) for variable in pair],
        loss=loss,
        optimizer=tf.optimizers.Adam(learning_rate=0.001, epsilon=1e-7),
        metrics={"accuracy": accuracy},
    )


def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def accuracy(logits, labels):
    return tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))


def glorot_uniform(shape, seed):
    """Glorot and Bengio 2010, from a stateless generator: the draw that Keras 3's GlorotUniform(seed) makes."""
    limit = np.sqrt(6.0 / sum(shape))
    return tf.random.stateless_uniform(shape, seed=(seed, 0), minval=-limit, maxval=limit)
