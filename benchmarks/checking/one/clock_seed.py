"""Seeded with the time, as an old tutorial had it."""

import time

import numpy as np

np.random.seed(int(time.time() * 1000) % 2**32)

n_inside = 0
points = np.random.uniform(-1, 1, size=(2000, 2))
n_inside = int((np.hypot(points[:, 0], points[:, 1]) <= 1).sum())
print("pi is about", 4 * n_inside / len(points), "first point", points[0])
