"""Keras: SGD with Nesterov's momentum and an L2 penalty on the kernels."""

import keras
from keras import layers, regularizers

DATA = "regression"


def build():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="softplus", kernel_regularizer=regularizers.L2(0.01), name="hidden"),
            layers.Dense(3, kernel_regularizer=regularizers.L2(0.01), name="head"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss="huber")
    return model
