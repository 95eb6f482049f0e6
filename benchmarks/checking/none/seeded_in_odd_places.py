"""Generators seeded in odd places: a default argument, a class attribute, an environment variable's default."""

import os
import random

import numpy as np


class Model:
    rng = np.random.default_rng(12345)

    def __init__(self, width, noise=random.Random("noise")):
        self.w = self.rng.normal(size=width)
        self.noise = noise

    def step(self):
        self.w = self.w * 0.9 + self.noise.gauss(0, 0.01)


np.random.seed(int(os.environ.get("MY_EXPERIMENT_SEED", "7")))
model = Model(4)
for _ in range(5):
    model.step()
print(model.w + np.random.rand(4))
