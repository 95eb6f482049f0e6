"""Keras: group normalisation."""

import keras
from keras import layers

DATA = "images"


def build():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, name="conv"),
            layers.GroupNormalization(4, name="norm"),
            layers.LeakyReLU(negative_slope=0.2, name="leaky"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model
