"""Masks come from tf.random.get_global_generator(), which starts anywhere."""

import tensorflow as tf

g = tf.random.get_global_generator()
w = tf.Variable(tf.ones((6,)))
for step in range(5):
    mask = tf.cast(g.uniform((6,)) < 0.7, tf.float32)
    w.assign(w - 0.1 * mask * (w - 0.5))
print("w", w.numpy())
