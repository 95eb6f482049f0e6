"""Keras: one-dimensional convolutions, "same" with an even kernel and "valid" with a stride, trained with momentum."""

import keras
from keras import layers

DATA = "signals"


def build():
    model = keras.Sequential(
        [
            keras.Input((16, 4)),
            layers.Conv1D(8, 4, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling1D(2, name="pool"),
            layers.Conv1D(6, 3, strides=2, padding="valid", activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), loss=loss)
    return model
