"""Keras: a convolutional autoencoder."""

import keras
from keras import layers

DATA = "reconstruction"


def build():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="encoder"),
            layers.Conv2DTranspose(5, 3, strides=2, padding="same", activation="relu", name="decoder"),
            layers.Conv2D(3, 1, name="head"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.8), loss="mse", metrics=["mae"])
    return model
