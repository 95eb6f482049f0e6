"""Keras 3: the same tagger."""

import keras
from keras import layers


def build(masked=True):
    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(20, 6, mask_zero=masked, name="embedding"),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both"),
            layers.TimeDistributed(layers.Dense(4), name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2), loss=loss)
    return model
