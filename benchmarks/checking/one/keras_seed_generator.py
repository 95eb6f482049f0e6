"""A layer that adds noise from a keras.random.SeedGenerator without a seed."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import numpy as np


class Jitter(keras.layers.Layer):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.seeds = keras.random.SeedGenerator()

    def call(self, x):
        return x + self.scale * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def build():
    model = keras.Sequential([keras.Input((5,)), Jitter(0.3), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.01), "mae")
    return model


if __name__ == "__main__":
    data = np.eye(5, dtype="float32")
    model = build()
    model.fit(data, np.full((5, 1), 2.0), epochs=2, batch_size=5, verbose=0, shuffle=False)
    print("kernel:", model.layers[-1].kernel.numpy().ravel())
