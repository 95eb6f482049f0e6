"""Keras as in its quick start: unseeded kernels, and fit() shuffles with TensorFlow's generator."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np

x = np.linspace(-1, 1, 120).reshape(40, 3).astype("float32")
y = (x**2).sum(1)
model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
model.fit(x, y, epochs=2, batch_size=4, verbose=0)
print("loss", model.evaluate(x, y, verbose=0))
