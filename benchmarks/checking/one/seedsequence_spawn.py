"""Ensemble members seeded by the children of an empty SeedSequence."""

from numpy.random import PCG64, Generator, SeedSequence

MEMBERS = 4


def member(rng):
    w = rng.normal(size=5)
    for _ in range(10):
        w = w - 0.1 * (w - 1.0) * (1 + w**2)
    return w


root = SeedSequence()
members = [member(Generator(PCG64(child))) for child in root.spawn(MEMBERS)]
print("ensemble mean:", sum(members) / MEMBERS)
