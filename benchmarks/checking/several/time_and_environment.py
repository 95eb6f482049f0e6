"""Seeds by the process id and the clock together, and the order of a set of strings."""

import os
import random
import time

random.seed(os.getpid())
np_seed = time.perf_counter_ns()
names = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}
noise = random.Random(np_seed)
score = 0.0
for name in names:
    score = score / 2 + len(name) * random.random() + 0.01 * noise.random()
print("order", list(names))
print("score", score)
