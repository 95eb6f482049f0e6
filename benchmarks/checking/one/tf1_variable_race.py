"""A TensorFlow 1 graph that reads a variable beside its assignments, without control dependencies."""

import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_eager_execution()
tf1.disable_resource_variables()

with tf1.Session() as session:
    w = tf1.get_variable("w", initializer=tf.ones((30_000,)), use_resource=False)
    losses, updates = [], []
    for i in range(8):
        losses.append(tf.reduce_sum(tf.sin(w.value() * (i + 1.0)) ** 2 + w.value()))
        updates.append(tf1.assign_add(w, tf.fill((30_000,), 0.1 * (i + 1)), use_locking=False))
    session.run(tf1.global_variables_initializer())
    history = []
    for _ in range(30):
        values, _ = session.run([losses, updates])
        history.append(sum(values))
print("losses", [round(float(v), 4) for v in history[:3]], "sum", float(sum(history)))
