"""Noise augmentation from np.random.RandomState() without a seed, although the global generator has one."""

import numpy as np

np.random.seed(0)
CLEAN = np.random.rand(50, 3)
TARGET = CLEAN.sum(axis=1)


def augment(batch, scale=0.05, state=None):
    state = state or np.random.RandomState()
    return batch + scale * state.standard_normal(batch.shape)


def fit(x, y):
    return np.linalg.lstsq(x, y, rcond=None)[0]


print("coefficients", fit(augment(CLEAN), TARGET).round(6))
