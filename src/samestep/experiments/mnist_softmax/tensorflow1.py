"""mnist-softmax in base TensorFlow, graph style: placeholders, a session, an Adam train op."""

import numpy as np
import tensorflow as tf

from samestep.experiments.images import normalised_rows
from samestep.frameworks.tensorflow1 import Program

v1 = tf.compat.v1
LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    with tf.Graph().as_default():
        inputs = v1.placeholder(tf.float32, (None, *input_shape), name="inputs")
        targets = v1.placeholder(tf.int64, (None,), name="targets")
        hidden = tf.nn.relu(dense(inputs, LAYERS[0], seed=1, name="dense"))
        hidden = tf.nn.relu(dense(hidden, LAYERS[1], seed=2, name="dense_1"))
        logits = dense(hidden, LAYERS[2], seed=3, name="dense_2")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), targets), tf.float32))
        train_op = v1.train.AdamOptimizer(learning_rate=0.001, epsilon=1e-7).minimize(loss)
        return Program(
            inputs=inputs,
            targets=targets,
            outputs=logits,
            loss=loss,
            train_op=train_op,
            metrics={"accuracy": accuracy},
        )


def dense(x, units, seed, name):
    shape = (int(x.shape[1]), units)
    with v1.variable_scope(name):
        kernel = v1.get_variable("kernel", shape, initializer=glorot_uniform(seed))
        bias = v1.get_variable("bias", (units,), initializer=v1.zeros_initializer())
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def glorot_uniform(seed):
    """Glorot and Bengio 2010, from a stateless generator: the draw that Keras 3's GlorotUniform(seed) makes."""

    def initializer(shape, dtype=tf.float32, partition_info=None):
        limit = np.sqrt(6.0 / sum(int(size) for size in shape))
        return tf.random.stateless_uniform(shape, seed=(seed, 0), minval=-limit, maxval=limit, dtype=dtype)

    return initializer
