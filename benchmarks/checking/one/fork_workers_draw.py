"""Workers of a pool draw with NumPy's default_rng, each for itself."""

from multiprocessing import get_context

import numpy as np


def simulate(steps):
    rng = np.random.default_rng()
    return float(rng.standard_normal(steps).cumsum()[-1])


if __name__ == "__main__":
    with get_context("fork").Pool(2) as pool:
        ends = pool.map(simulate, [50] * 6)
    print("ends of the walks:", [round(end, 5) for end in ends])
