"""Base TensorFlow 2: the same clipping, with the 1e-6 that PyTorch adds to the norm."""

import numpy as np
import tensorflow as tf

from samestep.frameworks.tensorflow import Program


def dense(inputs, outputs, name):
    kernel = np.random.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
    return [tf.Variable(kernel, name=f"{name}_kernel"), tf.Variable(tf.zeros(outputs), name=f"{name}_bias")]


def together(gradients, limit):
    factor = tf.minimum(limit / (tf.linalg.global_norm(gradients) + 1e-6), 1.0)
    return [gradient * factor for gradient in gradients]


def build(clip=together):
    hidden, head = dense(12, 16, "hidden"), dense(16, 5, "head")
    variables = hidden + head
    optimizer = tf.optimizers.SGD(0.3, momentum=0.5)

    def forward(x):
        return tf.tanh(x @ hidden[0] + hidden[1]) @ head[0] + head[1]

    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(forward(x), y)
        gradients = clip(tape.gradient(value, variables), 0.25)
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
        return value

    return Program(forward, variables=variables, loss=loss, optimizer=optimizer, step=tf.function(step))


def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
