"""Keras: RMSprop, which adds epsilon within the root."""

import keras
from keras import layers

DATA = "regression"


def build():
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="swish", name="hidden"), layers.Dense(3, name="head")]
    )
    model.compile(keras.optimizers.RMSprop(0.01), loss="mse")
    return model
