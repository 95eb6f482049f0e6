"""Dropout in Keras 2."""

import tf_keras as keras
from tf_keras import layers


def build(rate=0.3):
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="relu"), layers.Dropout(rate), layers.Dense(5)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model
