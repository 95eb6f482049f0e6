"""Base TensorFlow 2: convolutions of variables, and a pooling that is padded."""

import numpy as np
import tensorflow as tf

from samestep.frameworks.tensorflow import Program

DATA = "images"


def weights(shape, name):
    kernel = np.random.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)
    return [tf.Variable(kernel, name=f"{name}_kernel"), tf.Variable(tf.zeros(shape[-1]), name=f"{name}_bias")]


def build():
    conv, head = weights((3, 3, 3, 6), "conv"), weights((54, 5), "head")

    def forward(x):
        x = tf.nn.conv2d(x, conv[0], 1, "VALID") + conv[1]
        x = tf.nn.tanh(tf.nn.max_pool2d(x, 3, 2, "SAME"))
        return tf.reshape(x, (-1, 54)) @ head[0] + head[1]

    return Program(forward, variables=conv + head, loss=loss, optimizer=tf.optimizers.SGD(0.05, momentum=0.9))


def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
