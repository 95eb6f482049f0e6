"""Keras: dropout and batch normalisation."""

import keras
from keras import layers

DATA = "vectors"


def build():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dropout(0.3, name="drop1"),
            layers.Dense(10, name="deeper"),
            layers.BatchNormalization(momentum=0.9, name="norm"),
            layers.Dropout(0.2, name="drop2"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss, metrics=["accuracy"])
    return model
