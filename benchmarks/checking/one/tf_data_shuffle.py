"""Batches of a tf.data pipeline that shuffles without a seed."""

import numpy as np
import tensorflow as tf

x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
y = x**2
dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64).batch(8)

w, b = tf.Variable([[0.3]]), tf.Variable([0.0])
for epoch in range(2):
    for xb, yb in dataset:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(xb @ w + b - yb))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.2 * dw)
        b.assign_sub(0.2 * db)
    print("epoch", epoch, "loss of the last batch", float(loss))
