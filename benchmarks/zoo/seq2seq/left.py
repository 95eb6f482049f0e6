"""Keras: a GRU reads a sentence, another one writes it on from its last state."""

import keras
from keras import layers

DATA = "translation"


def build():
    source, before = keras.Input((7,), dtype="int32", name="source"), keras.Input((6,), dtype="int32", name="before")
    _, state = layers.GRU(8, return_state=True, name="encoder")(layers.Embedding(12, 6, name="heard")(source))
    written = layers.Embedding(12, 6, name="said")(before)
    x = layers.GRU(8, return_sequences=True, name="decoder")(written, initial_state=state)
    model = keras.Model({"source": source, "before": before}, layers.Dense(12, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss=loss, metrics=["accuracy"])
    return model
