"""A pool of spawned processes, each of which imports this file again and draws without a seed."""

import multiprocessing
import random


def draw(n):
    return sum(random.random() for _ in range(n))


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print("sums", pool.map(draw, [10, 20, 30], chunksize=1))
