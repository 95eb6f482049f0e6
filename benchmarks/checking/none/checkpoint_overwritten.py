"""Saves a checkpoint in each run and never loads it."""

import json
import os
import random

here = os.path.dirname(os.path.abspath(__file__))
random.seed(5)
w = [random.gauss(0, 1) for _ in range(3)]
for epoch in range(4):
    w = [v * 0.9 for v in w]
    with open(os.path.join(here, "last.json"), "w") as f:
        json.dump({"epoch": epoch, "w": w}, f)
print("w", w)
