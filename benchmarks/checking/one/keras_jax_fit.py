"""Keras on JAX: the kernels are drawn without a seed, the rows stay in order."""

import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np


def main():
    rows = np.array([[i % 2, i // 2 % 2, i // 4 % 2] for i in range(16)], dtype="float32")
    parity = rows.sum(1) % 2
    model = keras.Sequential([keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(rows, parity, batch_size=16, epochs=3, shuffle=False, verbose=0)
    print("loss %.7f" % model.evaluate(rows, parity, verbose=0))


main()
