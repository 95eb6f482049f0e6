"""Noise of a tf.random.Generator that starts from a non-deterministic state."""

import tensorflow as tf

tf.random.set_seed(1)


class NoisyModel(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones((3, 1)))
        self.generator = tf.random.Generator.from_non_deterministic_state()

    @tf.function
    def __call__(self, x):
        return (x + self.generator.normal(tf.shape(x), stddev=0.1)) @ self.w


model = NoisyModel()
x = tf.reshape(tf.linspace(0.0, 1.0, 30), (10, 3))
optimizer_rate = 0.05
for _ in range(10):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - 2.0) ** 2)
    model.w.assign_sub(optimizer_rate * tape.gradient(loss, model.w))
print(loss.numpy())
