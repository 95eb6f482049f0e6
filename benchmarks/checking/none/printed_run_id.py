"""Prints a run id and the elapsed time, but trains the same each time."""

import time
import uuid

import numpy as np

started = time.perf_counter()
print("run", uuid.uuid4())
rng = np.random.default_rng(0)
w = rng.normal(size=3)
for _ in range(20):
    w -= 0.1 * (w - 1)
print("loss", float(((w - 1) ** 2).sum()))
print(f"took {time.perf_counter() - started:.6f} s")
