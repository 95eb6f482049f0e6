"""A seed taken from os.urandom, set with care in each generator."""

import os
import random

import numpy as np


def seed_everything(seed=None):
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    random.seed(seed)
    np.random.seed(seed)


if __name__ == "__main__":
    seed_everything()
    w = np.random.uniform(-1, 1, 3)
    order = list(range(10))
    random.shuffle(order)
    for i in order:
        x = np.array([1.0, i / 10, (i / 10) ** 2])
        w -= 0.2 * (x @ w - np.sin(i)) * x
    print("weights:", w)
