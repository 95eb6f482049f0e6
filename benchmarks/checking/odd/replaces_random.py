"""Replaces random.random and numpy's default_rng by functions of its own, which repeat."""

import itertools
import random

import numpy as np

numbers = itertools.cycle([0.1, 0.7, 0.4])
random.random = lambda: next(numbers)
real = np.random.default_rng
np.random.default_rng = lambda seed=None: real(0 if seed is None else seed)
print([random.random() for _ in range(4)], np.random.default_rng().normal())
