"""Keras: one encoder used for both of two inputs, which are then compared."""

import keras
from keras import layers, ops

DATA = "couples"


def build():
    one, other = keras.Input((12,), name="one"), keras.Input((12,), name="other")
    encoder = keras.Sequential(
        [keras.Input((12,)), layers.Dense(10, activation="relu", name="hidden"), layers.Dense(6, name="code")],
        name="encoder",
    )
    apart = ops.abs(encoder(one) - encoder(other))
    same = layers.Dense(1, name="same")(apart)
    model = keras.Model({"one": one, "other": other}, same)
    model.compile(keras.optimizers.SGD(0.1), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model
