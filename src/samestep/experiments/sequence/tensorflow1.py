"""sequence in base TensorFlow, graph style: placeholders, a session, an Adam train op."""

import tensorflow as tf

from samestep.frameworks.tensorflow1 import Program

v1 = tf.compat.v1


def build(input_shape, seed):
    with tf.Graph().as_default():
        v1.set_random_seed(seed)  # a graph has a seed of its own
        inputs = v1.placeholder(tf.float32, (None, *input_shape), name="inputs")
        targets = v1.placeholder(tf.float32, (None, 1), name="targets")
        outputs = dense(dense(inputs, 10, "dense"), 1, "dense_1")
        loss = tf.reduce_mean(tf.square(outputs - targets))
        train_op = v1.train.AdamOptimizer(learning_rate=0.001, epsilon=1e-7).minimize(loss)
        return Program(inputs=inputs, targets=targets, outputs=outputs, loss=loss, train_op=train_op)


def dense(x, units, name):
    with v1.variable_scope(name):
        kernel = v1.get_variable("kernel", (int(x.shape[1]), units), initializer=v1.glorot_uniform_initializer())
        bias = v1.get_variable("bias", (units,), initializer=v1.zeros_initializer())
        return tf.matmul(x, kernel) + bias
