"""Keras on JAX: kernels from Python's generator, data from NumPy's."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np


def make_data(n):
    x = np.random.normal(size=(n, 2)).astype("float32")
    return x, x @ np.array([[1.0], [2.0]], dtype="float32")


x, y = make_data(16)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
print("loss", history.history["loss"])
