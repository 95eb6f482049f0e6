"""A TensorFlow loop with variables from tf.random.normal, without any seed."""

import tensorflow as tf

x = tf.reshape(tf.range(32, dtype=tf.float32), (16, 2)) / 32
y = tf.reduce_sum(x, axis=1, keepdims=True)

w1 = tf.Variable(tf.random.normal((2, 8), stddev=0.5))
w2 = tf.Variable(tf.random.normal((8, 1), stddev=0.5))


@tf.function
def step():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((tf.tanh(x @ w1) @ w2 - y) ** 2)
    for v, g in zip((w1, w2), tape.gradient(loss, (w1, w2))):
        v.assign_sub(0.1 * g)
    return loss


for _ in range(20):
    loss = step()
print("loss", float(loss))
