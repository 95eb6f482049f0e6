"""Dropout in base TensorFlow 2."""

import tensorflow as tf

from samestep.frameworks.tensorflow import Program


def build():
    shapes = {"w1": (12, 16), "b1": (16,), "w2": (16, 5), "b2": (5,)}
    v = {name: tf.Variable(tf.random.normal(shape, stddev=0.2), name=name) for name, shape in shapes.items()}

    def forward(x, training):
        hidden = tf.nn.relu(x @ v["w1"] + v["b1"])
        hidden = tf.nn.dropout(hidden, 0.3) if training else hidden
        return hidden @ v["w2"] + v["b2"]

    return Program(forward, variables=list(v.values()), loss=loss, optimizer=tf.optimizers.SGD(0.05))


def loss(outputs, targets):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=outputs))
