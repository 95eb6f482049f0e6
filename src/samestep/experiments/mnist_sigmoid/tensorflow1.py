"""mnist-sigmoid in base TensorFlow, graph style: placeholders, a session, an Adam train op."""

import tensorflow as tf

from samestep.experiments.images import binarised, normalised_rows
from samestep.experiments.mnist_softmax.tensorflow1 import LAYERS, dense
from samestep.frameworks.tensorflow1 import Program

v1 = tf.compat.v1


def prepare(x, y):
    return normalised_rows(x), binarised(y)


def build(input_shape):
    with tf.Graph().as_default():
        inputs = v1.placeholder(tf.float32, (None, *input_shape), name="inputs")
        targets = v1.placeholder(tf.float32, (None, LAYERS[2]), name="targets")
        hidden = tf.nn.relu(dense(inputs, LAYERS[0], seed=1, name="dense"))
        hidden = tf.nn.relu(dense(hidden, LAYERS[1], seed=2, name="dense_1"))
        logits = dense(hidden, LAYERS[2], seed=3, name="dense_2")
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.cast(logits > 0, tf.float32), targets), tf.float32))
        train_op = v1.train.AdamOptimizer(learning_rate=0.001, epsilon=1e-7).minimize(loss)
        return Program(
            inputs=inputs,
            targets=targets,
            outputs=logits,
            loss=loss,
            train_op=train_op,
            metrics={"accuracy": accuracy},
        )
