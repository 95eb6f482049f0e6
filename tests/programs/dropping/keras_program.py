"""Dropout in Keras 3."""

import keras
from keras import layers


def build(rate=0.3):
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="relu"), layers.Dropout(rate), layers.Dense(5)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model


def another_rate():
    return build(0.25)


def spatial():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.SpatialDropout2D(0.4),
            layers.Conv2D(4, 3),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model
