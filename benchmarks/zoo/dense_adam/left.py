"""Keras: a multilayer perceptron trained by Adam."""

import keras
from keras import layers

DATA = "vectors"


def build():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(10, activation="tanh", name="deeper"),
            layers.Dense(5, activation="softmax", name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
