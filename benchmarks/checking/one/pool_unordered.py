"""A pool of processes returns results with imap_unordered, which are combined as they arrive."""

import multiprocessing as mp
import time


def evaluate(job):
    index, x = job
    time.sleep(0.002)
    return index, (x - 0.3) ** 2


if __name__ == "__main__":
    jobs = [(i, i / 20) for i in range(40)]
    score = 0.0
    with mp.get_context("fork").Pool(4) as pool:
        for index, value in pool.imap_unordered(evaluate, jobs):
            score = 0.95 * score + value * (1 + index / 100)
    print("score =", score)
