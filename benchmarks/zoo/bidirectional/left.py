"""Keras: a bidirectional LSTM over embedded tokens, its two last outputs side by side."""

import keras
from keras import layers

DATA = "tokens"


def build():
    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(20, 6, name="embedding"),
            layers.Bidirectional(layers.LSTM(5), name="both"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2), loss=loss)
    return model
