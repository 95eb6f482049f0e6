"""mnist-sigmoid in base TensorFlow 2: variables, functions of tensors, tf.optimizers."""

import tensorflow as tf

from samestep.experiments.images import binarised, normalised_rows
from samestep.experiments.mnist_softmax.tensorflow import LAYERS, glorot_uniform
from samestep.frameworks.tensorflow import Program


def prepare(x, y):
    return normalised_rows(x), binarised(y)


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
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def accuracy(logits, labels):
    """The share of all labels, rows times classes, that a probability above one half gets right."""
    return tf.reduce_mean(tf.cast(tf.equal(tf.cast(logits > 0, tf.float32), labels), tf.float32))
