"""tf.data shuffles without a seed, and the kernel of a base TensorFlow model is drawn without one of Keras's."""

import random

import numpy as np
import tensorflow as tf

x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
w = tf.Variable([[random.uniform(-1, 1)]])
for batch in tf.data.Dataset.from_tensor_slices(x).shuffle(32).batch(4):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((tf.tanh(batch @ w) - batch) ** 2)
    w.assign_sub(0.5 * tape.gradient(loss, w))
print("w", float(w[0, 0]), "loss", float(loss))
