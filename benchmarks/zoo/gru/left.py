"""Keras: a GRU that resets after the multiplication, as is its default."""

import keras
from keras import layers

DATA = "sequences"


def build():
    model = keras.Sequential(
        [
            keras.Input((9, 6)),
            layers.GRU(7, return_sequences=True, name="gru1"),
            layers.GRU(5, name="gru2"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss=loss)
    return model
