"""Keras: an LSTM's last output."""

import keras
from keras import layers

DATA = "sequences"


def build():
    model = keras.Sequential([keras.Input((9, 6)), layers.LSTM(7, name="lstm"), layers.Dense(3, name="head")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss=loss, metrics=["accuracy"])
    return model
