"""mnist-softmax in Keras: a Sequential model with the same seeded initialisers."""

import keras
from keras import layers
from keras.initializers import GlorotUniform

from samestep.experiments.images import normalised_rows


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Dense(128, activation="relu", kernel_initializer=GlorotUniform(seed=1)),
            layers.Dense(128, activation="relu", kernel_initializer=GlorotUniform(seed=2)),
            layers.Dense(10, activation="softmax", kernel_initializer=GlorotUniform(seed=3)),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-7),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
