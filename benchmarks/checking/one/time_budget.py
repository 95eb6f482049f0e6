"""Trains until its time is over, so that the number of steps is another each time."""

import time

BUDGET = 0.05
x = [i / 50 for i in range(50)]
y = [0.3 + 1.7 * v for v in x]
w = b = 0.0
started = time.perf_counter()
steps = 0
while time.perf_counter() - started < BUDGET:
    gw = sum((w * u + b - v) * u for u, v in zip(x, y)) / 50
    gb = sum((w * u + b - v) for u, v in zip(x, y)) / 50
    w, b = w - 0.001 * gw, b - 0.001 * gb
    steps += 1
print("steps:", steps)
print("w = %.10f, b = %.10f" % (w, b))
