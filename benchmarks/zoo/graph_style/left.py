"""Base TensorFlow, graph style: a perceptron with a yes or no for each class, trained with momentum."""

import tensorflow as tf

from samestep.frameworks.tensorflow1 import Program

DATA = "vectors"

v1 = tf.compat.v1


def build(seed):
    with tf.Graph().as_default():
        v1.set_random_seed(seed)
        inputs = v1.placeholder(tf.float32, (None, 12), name="inputs")
        targets = v1.placeholder(tf.int64, (None,), name="targets")
        logits = dense(tf.nn.relu6(dense(inputs, 16, "hidden")), 5, "head")
        labels = tf.one_hot(targets, 5)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), targets), tf.float32))
        return Program(
            inputs=inputs,
            targets=targets,
            outputs=logits,
            loss=loss,
            train_op=v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss),
            metrics={"accuracy": accuracy},
        )


def dense(x, units, name):
    with v1.variable_scope(name):
        kernel = v1.get_variable("kernel", (int(x.shape[1]), units), initializer=v1.glorot_uniform_initializer())
        bias = v1.get_variable("bias", (units,), initializer=v1.zeros_initializer())
        return tf.matmul(x, kernel) + bias
