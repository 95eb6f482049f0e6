"""Of two generators on a line one has a seed."""

import random

import numpy as np

fold = 3
a = np.random.default_rng().normal() * random.Random(fold).random()
print("a", a)
