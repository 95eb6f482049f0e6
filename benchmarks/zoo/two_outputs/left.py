"""Keras: a kind and a value from one trunk, their losses weighted."""

import keras
from keras import layers

DATA = "two_targets"


def build():
    inputs = keras.Input((12,))
    trunk = layers.Dense(16, activation="elu", name="trunk")(inputs)
    outputs = {"kind": layers.Dense(4, name="kind")(trunk), "value": layers.Dense(2, name="value")(trunk)}
    model = keras.Model(inputs, outputs)
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "value": "mse"}
    model.compile(keras.optimizers.SGD(0.1), loss=losses, loss_weights={"kind": 1.0, "value": 0.5})
    return model
