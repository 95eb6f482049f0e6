"""Keras on JAX: a convolutional network with batch normalisation, trained by Adam."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from keras import layers

DATA = "images"


def build():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, strides=2, padding="same", name="conv"),
            layers.BatchNormalization(momentum=0.9, name="norm"),
            layers.Activation("gelu", name="gelu"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    return model
