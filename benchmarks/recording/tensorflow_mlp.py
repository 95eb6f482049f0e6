"""TensorFlow 2, a loop by hand, the step a tf.function: 784-128-128-10, Adam."""

import itertools

import keras
import tensorflow as tf
from timing import BATCH, rows, timed

x, y = rows((784,))
sizes = (784, 128, 128, 10)
kernels = [tf.Variable(tf.random.normal(shape) * (2 / shape[0]) ** 0.5) for shape in itertools.pairwise(sizes)]
biases = [tf.Variable(tf.zeros(size)) for size in sizes[1:]]
optimizer = keras.optimizers.Adam()


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            x = tf.nn.relu(x @ kernel + bias)
        logits = x @ kernels[-1] + biases[-1]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    variables = [*kernels, *biases]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def train(first, last):
    for number in range(first, last):
        part = slice(number * BATCH, (number + 1) * BATCH)
        step(tf.constant(x[part]), tf.constant(y[part]))


timed(train)
