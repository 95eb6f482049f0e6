"""Keras 2: a bidirectional LSTM that tags each token; padding is masked."""

import tf_keras as keras
from tf_keras import layers

DATA = "tagged"


def build():
    model = keras.Sequential(
        [
            keras.Input((10,), dtype="int32"),
            layers.Embedding(20, 6, mask_zero=True, name="embedding"),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both"),
            layers.TimeDistributed(layers.Dense(4), name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2), loss=loss)
    return model
