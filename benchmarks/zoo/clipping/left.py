"""Keras: a simple recurrent network over a sequence, all its gradients clipped together."""

import keras
from keras import layers

DATA = "sequences"


def build():
    model = keras.Sequential(
        [
            keras.Input((9, 6)),
            layers.SimpleRNN(7, name="rnn"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5, global_clipnorm=0.2), loss=loss)
    return model
