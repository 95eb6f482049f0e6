"""Keras on PyTorch, where the layers' default seeds come from Python's generator."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

x = np.sin(np.arange(60)).reshape(20, 3).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, "gelu"), keras.layers.Dense(1)])
model.compile("rmsprop", "mse")
model.fit(x, x[:, :1], epochs=2, batch_size=10, shuffle=False, verbose=2)
