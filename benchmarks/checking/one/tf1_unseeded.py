"""TensorFlow 1 style: placeholders, a session, and weights from an unseeded tf.random_normal."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def graph():
    x = tf.placeholder(tf.float32, [None, 2], "x")
    y = tf.placeholder(tf.float32, [None, 1], "y")
    w = tf.Variable(tf.random_normal([2, 1]), name="w")
    b = tf.Variable(tf.zeros([1]), name="b")
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    return x, y, loss, train


def main(_):
    data = np.array([[0.1, 0.4], [0.7, 0.2], [0.5, 0.9]])
    target = data.sum(1, keepdims=True)
    x, y, loss, train = graph()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(10):
            value, _ = sess.run([loss, train], {x: data, y: target})
    print("loss:", value)


if __name__ == "__main__":
    main(None)
