"""Keras: volumes, flattened with channels last."""

import keras
from keras import layers

DATA = "volumes"


def build():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 6, 2)),
            layers.Conv3D(4, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling3D(2, name="pool"),
            layers.Conv3D(5, 2, padding="valid", activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model
