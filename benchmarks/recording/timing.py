"""What the training scripts beside it share: rows, and the time that a loop takes."""

import json
import os
import time

import numpy as np

BATCH, WARM_UP, STEPS = 32, 100, int(os.environ.get("STEPS", "600"))


def rows(shape, steps=WARM_UP + STEPS):
    """Rows as of MNIST, in number for so many steps: x float32 (rows, *shape), a fifth of it not zero, y int64.

    They can be learnt: on noise the network would die, and what is timed be arithmetic of zeros and denormal numbers.
    """
    random = np.random.default_rng(0)
    y = random.integers(0, 10, BATCH * steps)
    strokes = random.random((10, *shape)) < 0.2
    x = random.random((len(y), *shape), np.float32)
    x *= strokes[y]
    return x, y


def timed(train, warm_up=WARM_UP, steps=STEPS):
    """Run train(first, last) for the first steps, then for the timed ones, and print what those took."""
    train(0, warm_up)
    wall, cpu = time.perf_counter(), time.process_time()
    train(warm_up, warm_up + steps)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "steps": steps}
    print(json.dumps(took))
