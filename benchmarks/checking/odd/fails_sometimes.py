"""Raises in about every second run, after its first result."""

import random

w = [random.gauss(0, 1) for _ in range(3)]
print("w", w)
if w[0] < 0:
    raise ValueError(f"the first weight is negative: {w[0]}")
print("loss", sum(v * v for v in w))
