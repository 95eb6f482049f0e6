"""A tf.data map that runs in parallel with deterministic=False."""

import tensorflow as tf


def load(i):
    """Stands for decoding of images of several sizes."""
    pixels = tf.range(20_000 + 10_000 * (i * 7 % 5))
    return tf.reduce_mean(tf.sin(tf.cast(pixels, tf.float32))) + tf.cast(i, tf.float32)


dataset = tf.data.Dataset.range(120).map(load, num_parallel_calls=6, deterministic=False)
w = 0.0
for value in dataset.as_numpy_iterator():
    w += 0.1 * (value - w)
print("w", w)
