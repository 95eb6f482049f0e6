"""Dropout in a graph of base TensorFlow."""

import tensorflow as tf

from samestep.frameworks.tensorflow1 import Program

v1 = tf.compat.v1


def build():
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, (None, 12))
        y = v1.placeholder(tf.int64, (None,))
        rate = v1.placeholder_with_default(0.0, ())
        shapes = {"w1": (12, 16), "b1": (16,), "w2": (16, 5), "b2": (5,)}
        normal = v1.random_normal_initializer(stddev=0.2)
        v = {name: v1.get_variable(name, shape, initializer=normal) for name, shape in shapes.items()}
        hidden = v1.nn.dropout(tf.nn.relu(tf.matmul(x, v["w1"]) + v["b1"]), rate=rate)
        outputs = tf.matmul(hidden, v["w2"]) + v["b2"]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs))
        train_op = v1.train.GradientDescentOptimizer(0.05).minimize(loss)
        fed = {"training_feed": {rate: 0.3}, "inference_feed": {rate: 0.0}}
        return Program(inputs=x, targets=y, outputs=outputs, loss=loss, train_op=train_op, **fed)
