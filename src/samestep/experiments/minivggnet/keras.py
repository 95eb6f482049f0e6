"""minivggnet in Keras: a Sequential model, with the decay as a learning rate schedule."""

import keras
from keras import layers

from samestep.experiments.images import one_hot, scaled
from samestep.experiments.minivggnet import DECAY, RATE


def prepare(x, y):
    return scaled(x), one_hot(y)


def build(input_shape):
    return compiled(network(input_shape, lambda: layers.Activation("relu")))


def network(input_shape, activation):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            *convolutions(32, activation),
            *convolutions(64, activation),
            layers.Flatten(),
            layers.Dense(512),
            activation(),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(10),
            layers.Activation("softmax"),
        ]
    )


def convolutions(filters, activation):
    """Two convolutions, each with activation and normalisation, then pooling and dropout."""
    pair = [(layers.Conv2D(filters, 3, padding="same"), activation(), layers.BatchNormalization()) for _ in range(2)]
    return [*pair[0], *pair[1], layers.MaxPooling2D(2), layers.Dropout(0.25)]


def compiled(model):
    rate = keras.optimizers.schedules.InverseTimeDecay(RATE, decay_steps=1, decay_rate=DECAY)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model
