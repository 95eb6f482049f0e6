"""Base TensorFlow: a Program of variables, and one of a graph with placeholders."""

import numpy as np
import tensorflow as tf

from samestep.frameworks import tensorflow, tensorflow1

v1 = tf.compat.v1


def draw(inputs, outputs):
    """A kernel by Glorot and Bengio 2010, by NumPy's generator, which samestep has seeded."""
    limit = (6 / (inputs + outputs)) ** 0.5
    return np.random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)


def cross_entropy(logits, labels):
    """The mean over rows."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def perceptron(optimizer, loss=cross_entropy):
    """12 inputs, 16 hidden units with tanh, 3 outputs, in TensorFlow 2."""
    kernels = [tf.Variable(draw(12, 16), name="hidden"), tf.Variable(draw(16, 3), name="head")]
    biases = [tf.Variable(tf.zeros(16), name="hidden_bias"), tf.Variable(tf.zeros(3), name="head_bias")]

    def forward(x):
        return tf.tanh(x @ kernels[0] + biases[0]) @ kernels[1] + biases[1]

    variables = [kernels[0], biases[0], kernels[1], biases[1]]
    return tensorflow.Program(forward, variables=variables, loss=loss, optimizer=optimizer)


def graph(optimizer, middle=lambda hidden: hidden, **options):
    """The same as a graph; optimizer: a function that makes one; middle: what is done with the hidden units."""
    with tf.Graph().as_default():
        inputs = v1.placeholder(tf.float32, (None, 12), name="inputs")
        targets = v1.placeholder(tf.int64, (None,), name="targets")
        logits = dense(middle(tf.tanh(dense(inputs, 16, "hidden"))), 3, "head")
        loss = cross_entropy(logits, targets)
        ends = {"inputs": inputs, "targets": targets, "outputs": logits, "loss": loss}
        return tensorflow1.Program(**ends, train_op=optimizer().minimize(loss), **options)


def dense(x, units, name):
    """A layer of variables."""
    kernel = v1.get_variable(f"{name}/kernel", initializer=draw(int(x.shape[1]), units))
    return x @ kernel + v1.get_variable(f"{name}/bias", initializer=np.zeros(units, np.float32))
