"""Keras: a learning rate that decays in steps."""

import keras
from keras import layers

DATA = "vectors"


def build():
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="selu", name="hidden"), layers.Dense(5, name="head")]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.2, decay_steps=4, decay_rate=0.7, staircase=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss=loss)
    return model
