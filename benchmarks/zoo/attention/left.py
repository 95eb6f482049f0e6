"""Keras: causal self-attention of two heads around a residual connection."""

import keras
from keras import layers

DATA = "sequences"


def build():
    x = inputs = keras.Input((9, 6))
    x = layers.Dense(8, name="embed")(x)
    attended = layers.MultiHeadAttention(2, 4, name="attention")(x, x, use_causal_mask=True)
    x = layers.Add(name="add")([x, attended])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(3, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss=loss)
    return model
