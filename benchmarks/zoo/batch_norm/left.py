"""Keras: batch normalisation behind a convolution and behind a dense layer."""

import keras
from keras import layers

DATA = "images"


def build():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(momentum=0.9, name="norm1"),
            layers.ReLU(name="relu"),
            layers.AveragePooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="hidden"),
            layers.BatchNormalization(momentum=0.9, name="norm2"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss, metrics=["accuracy"])
    return model
