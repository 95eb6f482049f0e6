"""A tf.data map that runs in parallel with deterministic=False."""

import tensorflow as tf


def load(i):
    """Stands for decoding of images of several sizes."""
    pixels = tf.range(20_000 + 10_000 * (i * 7 % 5))
    return tf.reduce_mean(tf.sin(tf.cast(pixels, tf.float32))) + tf.cast(i, tf.float32)


dataset = tf.data.Dataset.range(200).map(load, num_parallel_calls=6, deterministic=False).batch(4)
w = tf.Variable(0.0)
for batch in dataset:
    w.assign_add(0.1 * (tf.reduce_mean(batch) - w))
print("w", w.numpy())
