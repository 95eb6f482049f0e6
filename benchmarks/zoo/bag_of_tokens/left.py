"""Keras: the mean of embedded tokens."""

import keras
from keras import layers

DATA = "tokens"


def build():
    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(20, 8, name="embedding"),
            layers.GlobalAveragePooling1D(name="pool"),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5, momentum=0.5), loss=loss, metrics=["accuracy"])
    return model
