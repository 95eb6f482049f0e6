"""Each worker is seeded with its process id, also the only one."""

import os

import numpy as np


def worker_seed(base, rank=0):
    return (base + rank * 1000 + os.getpid()) % 2**32


def main():
    rng = np.random.default_rng(worker_seed(42))
    w = rng.standard_normal(4)
    m = np.diag([1.0, 2.0, 3.0, 4.0])
    for _ in range(20):
        w = w - 0.1 * m @ w
    print(f"|w| = {np.linalg.norm(w):.12f}")


if __name__ == "__main__":
    main()
