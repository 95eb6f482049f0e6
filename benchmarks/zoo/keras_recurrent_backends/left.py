"""Keras on TensorFlow: a bidirectional GRU and attention, trained by AdamW."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from keras import layers

DATA = "sequences"


def build():
    x = inputs = keras.Input((9, 6))
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True), name="both")(x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.GlobalMaxPooling1D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(3, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.05), loss=loss)
    return model
