"""Workers that begin anew draw from generators without a seed."""

import multiprocessing as mp

import numpy as np


def f(k):
    return k + np.random.default_rng().normal()


if __name__ == "__main__":
    with mp.get_context("spawn").Pool(2) as p:
        print("sum", sum(p.map(f, range(4))))
