"""Training programs as people wrote them in TensorFlow 1: one small network, trained in many ways.

Read by Python 3.7 and TensorFlow 1.15 too.
"""
# ruff: noqa: B905 - zip(strict=) is of Python 3.10

import numpy as np
import tensorflow as tf

from samestep.frameworks.tensorflow1 import Program

v1 = tf.compat.v1


def sgd():
    return classifier(lambda loss: v1.train.GradientDescentOptimizer(0.1).minimize(loss))


def momentum():
    return classifier(lambda loss: v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss))


def nesterov():
    return classifier(lambda loss: v1.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True).minimize(loss))


def rmsprop():
    return classifier(lambda loss: v1.train.RMSPropOptimizer(0.01, momentum=0.5).minimize(loss))


def adagrad():
    return classifier(lambda loss: v1.train.AdagradOptimizer(0.1).minimize(loss))


def two_adams():
    """One optimizer for the hidden layer and another for the last, each with its own counters."""

    def train(loss):
        hidden, last = split(v1.trainable_variables())
        slow = v1.train.AdamOptimizer(0.001, beta1=0.8).minimize(loss, var_list=hidden)
        fast = v1.train.AdamOptimizer(0.01).minimize(loss, var_list=last)
        return tf.group(slow, fast)

    return classifier(train)


def decayed():
    """The step is counted by a variable of the author's own, not by tf.train.get_global_step."""

    def train(loss):
        updates = tf.Variable(0, trainable=False, name="updates")
        rate = v1.train.exponential_decay(0.1, updates, decay_steps=5, decay_rate=0.5)
        return v1.train.GradientDescentOptimizer(rate).minimize(loss, global_step=updates)

    return classifier(train)


def decay_that_never_moves():
    """The step is not passed to minimize: a classic, after which the rate stays as it is."""

    def train(loss):
        rate = v1.train.exponential_decay(0.1, v1.train.get_or_create_global_step(), decay_steps=5, decay_rate=0.5)
        return v1.train.GradientDescentOptimizer(rate).minimize(loss)

    return classifier(train)


def l2():
    def train(loss):
        return v1.train.GradientDescentOptimizer(0.1).minimize(loss)

    return classifier(train, penalty=lambda kernels: 0.02 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]))


def clipped():
    return classifier(clip(0.05))


def clipped_adam():
    return classifier(clip(0.05, v1.train.AdamOptimizer(0.01, epsilon=1e-7)))


def clip(norm, optimizer=None):
    def train(loss):
        chosen = optimizer or v1.train.GradientDescentOptimizer(0.5)
        gradients, variables = zip(*chosen.compute_gradients(loss))
        return chosen.apply_gradients(list(zip(tf.clip_by_global_norm(gradients, norm)[0], variables)))

    return train


def gradient_that_is_none_of_the_loss():
    """The loss that is shown is not the one that is minimised, and its gradient is clipped."""
    with tf.Graph().as_default():
        x, y, logits, loss, _ = network()
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=clip(0.05)(3 * loss))


def batch_normalised():
    return normalised(update_moving_averages=True)


def batch_normalised_without_update_ops():
    return normalised(update_moving_averages=False)


def normalised(update_moving_averages):
    with tf.Graph().as_default():
        training = v1.placeholder(tf.bool, ())
        x, y, logits, loss, _ = network(lambda hidden: batch_normalisation(hidden, training))
        needed = v1.get_collection(v1.GraphKeys.UPDATE_OPS) if update_moving_averages else []
        with tf.control_dependencies(needed):
            train_op = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op, training=training)


def batch_normalisation(x, training, momentum=0.99):
    size = (int(x.shape[1]),)
    scale = v1.get_variable("gamma", size, initializer=v1.ones_initializer())
    shift = v1.get_variable("beta", size, initializer=v1.zeros_initializer())
    means = v1.get_variable("moving_mean", size, initializer=v1.zeros_initializer(), trainable=False)
    variances = v1.get_variable("moving_variance", size, initializer=v1.ones_initializer(), trainable=False)
    mean, variance = tf.nn.moments(x, [0])
    for moving, now in ((means, mean), (variances, variance)):
        change = tf.where(training, (moving - now) * (1 - momentum), tf.zeros(size))
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_sub(moving, change))
    used = [
        tf.cond(training, lambda: mean, lambda: means + 0),
        tf.cond(training, lambda: variance, lambda: variances + 0),
    ]
    return tf.nn.batch_normalization(x, *used, shift, scale, 1e-3)


def double():
    return classifier(lambda loss: v1.train.AdamOptimizer(0.01, epsilon=1e-7).minimize(loss), dtype=tf.float64)


def own_session():
    """Weights are loaded into a session of the author's own."""
    with tf.Graph().as_default():
        x, y, logits, loss, kernels = network()
        train_op = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        session = v1.Session()
        session.run(v1.global_variables_initializer())
        session.run(v1.assign(kernels[0], np.full((6, 8), 0.25)))
        v1.get_default_graph().finalize()
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op, session=session)


def session_without_values():
    with tf.Graph().as_default():
        x, y, logits, loss, _ = network()
        train_op = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op, session=v1.Session())


def ref_variables():
    v1.disable_resource_variables()
    try:
        return classifier(lambda loss: v1.train.AdamOptimizer(0.01, epsilon=1e-7).minimize(loss))
    finally:
        v1.enable_resource_variables()


def fed_rate():
    """The learning rate is a placeholder, fed at each step."""
    with tf.Graph().as_default():
        x, y, logits, loss, _ = network()
        rate = v1.placeholder(tf.float32, ())
        train_op = v1.train.GradientDescentOptimizer(rate).minimize(loss)
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op, training_feed={rate: 0.1})


def by_hand():
    """No optimizer: the author's own assignments."""

    def train(loss):
        variables = v1.trainable_variables()
        pairs = zip(tf.gradients(loss, variables), variables)
        return tf.group(*[v1.assign_sub(variable, 0.1 * gradient) for gradient, variable in pairs])

    return classifier(train)


def embedding_sgd():
    return words(v1.train.GradientDescentOptimizer(0.1))


def embedding_momentum():
    return words(v1.train.MomentumOptimizer(0.1, 0.9))


def embedding_adam():
    return words(v1.train.AdamOptimizer(0.01, epsilon=1e-7))


embedding_adam_of_repeated_words = embedding_adam


def words(optimizer):
    with tf.Graph().as_default():
        x, y = v1.placeholder(tf.int64, (None, 4)), v1.placeholder(tf.int64, (None,))
        table = v1.get_variable("table", (64, 5), initializer=v1.random_uniform_initializer(-1, 1, seed=1))
        logits = dense(tf.reduce_mean(tf.nn.embedding_lookup(table, x), axis=1), 3, "last")[0]
        loss = v1.losses.sparse_softmax_cross_entropy(y, logits)
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=optimizer.minimize(loss))


def loss_of_each_row():
    with tf.Graph().as_default():
        x, y, logits, loss, _ = network()
        rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        train_op = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        return Program(inputs=x, targets=y, outputs=logits, loss=rows, train_op=train_op)


def streaming_metric():
    with tf.Graph().as_default():
        x, y, logits, loss, _ = network()
        accuracy = v1.metrics.accuracy(y, tf.argmax(logits, 1))[1]
        train_op = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        return Program(
            inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op, metrics={"accuracy": accuracy}
        )


def beta_2_of(beta_1, beta_2):
    return lambda: classifier(lambda loss: v1.train.AdamOptimizer(1e-6, beta_1, beta_2).minimize(loss))


adam, adam_of_near_betas, adam_of_short_memory = beta_2_of(0.9, 0.999), beta_2_of(0.9, 0.99999), beta_2_of(0.5, 0.9)


def classifier(train, penalty=None, dtype=tf.float32):
    with tf.Graph().as_default():
        x, y, logits, loss, kernels = network(dtype=dtype)
        loss = loss if penalty is None else loss + penalty(kernels)
        train_op = train(loss)
        v1.get_default_graph().finalize()  # from here on, whatever adds an operation fails
        return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op)


def network(between=lambda hidden: hidden, dtype=tf.float32):
    x, y = v1.placeholder(dtype, (None, 6)), v1.placeholder(tf.int64, (None,))
    hidden, first = dense(x, 8, "hidden")
    logits, last = dense(tf.tanh(between(hidden)), 3, "last")
    loss = v1.losses.sparse_softmax_cross_entropy(y, logits)
    return x, y, logits, loss, [first, last]


def dense(x, units, name):
    with v1.variable_scope(name):
        kernel = v1.get_variable("kernel", (int(x.shape[1]), units), x.dtype, v1.glorot_uniform_initializer(seed=units))
        bias = v1.get_variable("bias", (units,), x.dtype, v1.zeros_initializer())
        return tf.matmul(x, kernel) + bias, kernel


def split(variables):
    return [v for v in variables if "hidden" in v.name], [v for v in variables if "last" in v.name]
