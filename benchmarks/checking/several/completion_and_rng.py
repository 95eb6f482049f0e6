"""Simulations in threads, each with an unseeded generator, averaged as they complete."""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from numpy.random import default_rng


def simulate(index):
    time.sleep(0.005)
    return index + default_rng().normal()


with ThreadPoolExecutor(10) as pool:
    mean = 0.0
    for done in as_completed([pool.submit(simulate, i) for i in range(40)]):
        mean += 0.1 * (done.result() - mean)
print("mean", mean)
