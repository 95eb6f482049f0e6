"""Keras: a GRU that resets before the multiplication, as Cho et al. 2014 wrote it."""

import keras
from keras import layers

DATA = "sequences"


def build():
    model = keras.Sequential(
        [keras.Input((9, 6)), layers.GRU(7, reset_after=False, name="gru"), layers.Dense(3, name="head")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss=loss)
    return model
