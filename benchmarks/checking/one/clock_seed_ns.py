"""A seed of nanoseconds is the default of an option."""

import argparse
import random
import time

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000_007)
parser.add_argument("--steps", type=int, default=200)
args = parser.parse_args()

random.seed(args.seed)
best, value = None, float("inf")
for _ in range(args.steps):
    x = random.uniform(-5, 5)
    f = x**4 - 3 * x**3 + 2
    if f < value:
        best, value = x, f
print("minimum near", best, "with value", value)
