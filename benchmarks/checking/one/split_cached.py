"""The first run draws a split and keeps it: those after it repeat, a fresh checkout does not."""

import os

import numpy as np

if not os.path.exists("split.npy"):
    np.save("split.npy", np.random.permutation(50))
idx = np.load("split.npy")
x = np.linspace(0, 1, 50)
print("test mean", x[idx[40:]].mean())
