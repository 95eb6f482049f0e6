"""Keras: a simple recurrent network over tokens, all its gradients clipped together."""

import keras
from keras import layers

DATA = "tokens"


def build():
    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(20, 6, name="embedding"),
            layers.SimpleRNN(7, name="rnn"),
            layers.Dense(3, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5, global_clipnorm=0.2), loss=loss)
    return model
