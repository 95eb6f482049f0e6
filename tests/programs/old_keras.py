"""Programs of Keras 2.3, for Python 3.7, on TensorFlow 1 or Theano by KERAS_BACKEND. Run as a script, it trains plainly."""

import sys

import keras
import numpy as np
from keras import backend, callbacks, layers, models, optimizers

if backend.backend() == "tensorflow":
    backend.clear_session()  # one worker loads one program after another

OPTIMIZERS = {
    "SGD": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "decay": lambda: optimizers.SGD(0.1, decay=0.1),
    "RMSprop": lambda: optimizers.RMSprop(0.01),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "Adadelta": lambda: optimizers.Adadelta(),
    "Adam": lambda: optimizers.Adam(0.01),
    "AMSGrad": lambda: optimizers.Adam(0.01, amsgrad=True, decay=0.1),
    "Adamax": lambda: optimizers.Adamax(0.01),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "clipped": lambda: optimizers.SGD(0.1, clipnorm=0.1, clipvalue=0.02),
}


def dense(optimizer="Adam", *between, compiled=True):
    stack = [layers.Dense(8, activation="relu", input_shape=(6,), kernel_regularizer=keras.regularizers.l2(0.01))]
    model = models.Sequential(stack + list(between) + [layers.Dense(3, activation="softmax")])
    if compiled:
        model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def busy():
    """All that an observation could leave changed: moving averages, slots, metrics, a learning rate, NumPy's generator."""
    from samestep.frameworks.keras2 import Program

    noise = [layers.Dropout(0.5)] if backend.backend() == "theano" else []  # TensorFlow keeps its generators to itself
    model = dense("AMSGrad", layers.BatchNormalization(), *noise)
    slower = callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)
    return Program(model, fit={"callbacks": [slower], "shuffle": True, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}})


def two_of_each():
    a, b = layers.Input((4,), name="a"), layers.Input((2,), name="b")
    shared = layers.Dense(8, activation="tanh", name="shared")
    hidden = layers.add([shared(layers.Dense(4)(a)), shared(layers.Dense(4)(b))])
    left = layers.Dense(3, activation="softmax", name="left")(hidden)
    model = models.Model([a, b], [left, layers.Dense(1, name="right")(hidden)])
    losses = {"left": "sparse_categorical_crossentropy", "right": "mse"}
    model.compile("adam", losses, metrics={"left": "accuracy"})
    return model


def unbuilt():
    model = models.Sequential([layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def trained_before():
    model = dense("momentum")
    model.fit(np.ones((4, 6)), np.zeros(4), verbose=0)
    return model


def own_batches():
    from samestep.frameworks.keras2 import Program

    def backwards(x, y, batch_size, epoch):
        for start in range(0, len(x), batch_size):
            yield x[start : start + batch_size][::-1], y[start : start + batch_size][::-1]

    return Program(dense("momentum"), batches=backwards)


def not_compiled():
    return dense(compiled=False)


def tensorflow_s_own():
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(6,))])
    model.compile("adam", "mse")
    return model


def of_tf_train():
    import tensorflow as tf

    model = dense(compiled=False)
    model.compile(optimizers.TFOptimizer(tf.compat.v1.train.AdamOptimizer()), "sparse_categorical_crossentropy")
    return model


def sgd():
    return dense("SGD")


def momentum():
    return dense("momentum")


def decay():
    return dense("decay")


def rmsprop():
    return dense("RMSprop")


def adagrad():
    return dense("Adagrad")


def adadelta():
    return dense("Adadelta")


def adam():
    return dense("Adam")


def amsgrad():
    return dense("AMSGrad")


def adamax():
    return dense("Adamax")


def nadam():
    return dense("Nadam")


def clipped():
    return dense("clipped")


if __name__ == "__main__":
    data, result = sys.argv[1:]
    held = dict(np.load(data).items())
    model = momentum()
    model.set_weights([held["w%d" % i] for i in range(4)])
    model.fit(held["x"], held["y"], batch_size=16, epochs=2, shuffle=False, verbose=0)
    np.savez(result, *model.get_weights())
