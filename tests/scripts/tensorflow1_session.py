"""A classifier as a graph of TensorFlow 1, run in a session. tensorflow1_session.py [SEED]"""

import hashlib
import sys

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
tf.set_random_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
rows = np.random.RandomState(0)
x, y = rows.normal(size=(200, 20)).astype("float32"), rows.randint(0, 3, 200)

inputs, targets = tf.placeholder(tf.float32, (None, 20)), tf.placeholder(tf.int32, (None,))
hidden_weights = tf.get_variable("hidden/weights", (20, 16))
weights, bias = tf.get_variable("weights", (16, 3)), tf.get_variable("bias", (3,), initializer=tf.zeros_initializer())
logits = tf.nn.relu(inputs @ hidden_weights) @ weights + bias
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))
train = tf.train.AdamOptimizer(0.01).minimize(loss)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(2):
        for start in range(0, 200, 32):
            session.run(train, {inputs: x[start : start + 32], targets: y[start : start + 32]})
    values = session.run(tf.trainable_variables())
print(hashlib.md5(b"".join(value.tobytes() for value in values)).hexdigest())
