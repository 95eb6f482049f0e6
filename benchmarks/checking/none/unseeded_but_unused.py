"""Makes generators without seeds and never uses what they draw."""

import random

import numpy as np

rng = np.random.default_rng()
state = np.random.RandomState()
own = random.Random()
preview = rng.normal(size=3)  # was printed once
x = np.arange(12.0).reshape(4, 3)
w = np.linalg.pinv(x) @ np.ones(4)
print("w", w.round(8))
