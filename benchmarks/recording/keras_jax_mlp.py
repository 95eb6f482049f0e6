"""Keras on JAX, fit: 784-128-128-10, Adam."""

import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
from timing import BATCH, rows, timed

x, y = rows((784,))
relu = [keras.layers.Dense(128, activation="relu") for _ in range(2)]
model = keras.Sequential([keras.Input((784,)), *relu, keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")


def train(first, last):
    part = slice(first * BATCH, last * BATCH)
    model.fit(x[part], y[part], batch_size=BATCH, verbose=0)


timed(train)
