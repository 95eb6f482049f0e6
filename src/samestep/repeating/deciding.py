"""Adding seeds until it is decided, with the error of all looks together held.

Whoever looks after every few seeds and stops at the first p-value below 0.05 errs far more often than in 1 of 20 cases. Here
the 5 % are spent a part at each look, in proportion to the seeds that it has of those of the last one (Lan and DeMets 1983;
the power family of Kim and DeMets 1987 with an exponent of 1, close to Pocock's boundary). What a look may spend becomes the
level of its own test by the normal distribution of the sums of all looks (Armitage, McPherson and Rowe 1969); the tests
themselves are permutation tests, and p-values become those of the whole sequence (Jennison and Turnbull 2000, chapter 9).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from samestep.errors import UsageError
from samestep.results import RepeatResult

Floats = NDArray[np.float64]

GROWTH = 1.5
"""Seeds at a look over those at the one before, about."""
NODES = 64
"""Points of the integral over what was seen at the look before."""
ERRORS = (*np.geomspace(1e-6, 0.05, 16).tolist(), *np.linspace(0.1, 0.95, 12).tolist())
"""Errors of a whole sequence whose levels are tabulated; between them p-values are interpolated."""


@dataclass(frozen=True)
class Look:
    """One of a sequence of looks at the values; number counts from 0, plan has the seeds a group of every look."""

    number: int
    plan: tuple[int, ...]

    @property
    def seeds(self) -> int:
        """How many seeds each group has at this look."""
        return self.plan[self.number]

    def level(self, error: float = 0.05) -> float:
        """At which this look tests, so that all looks of the plan together err as often as error says."""
        return levels(self.plan, error)[self.number]

    def p_value(self, nominal: float) -> float:
        """The smallest error of a whole sequence with which this look, of this p-value, would have decided."""
        table = [levels(self.plan, error)[self.number] for error in ERRORS]
        if nominal > table[-1]:
            return 1.0
        return float(np.exp(np.interp(math.log(nominal), np.log(table), np.log(ERRORS))))


def plan(first: int, cap: int) -> tuple[Look, ...]:
    """Looks at first seeds a group, then at ever more of them, and at last at cap.

    For each of them: train up to look.seeds seeds a group, judge(…, look=look), and stop where decided(result) says so.
    """
    if not 1 <= first <= cap:
        raise UsageError(
            f"seeds are added from {first} up to {cap}: expected at least 1, and a cap that is not below it."
        )
    steps = round(math.log(cap / first) / math.log(GROWTH))
    seeds = tuple(sorted({round(float(count)) for count in np.geomspace(first, cap, steps + 1)} | {cap}))
    return tuple(Look(number, seeds) for number in range(len(seeds)))


def decided(result: RepeatResult) -> bool:
    """Has every comparison a verdict?"""
    return all(comparison.verdict != "not enough evidence" for comparison in result.comparisons)


@cache
def levels(seeds: tuple[int, ...], error: float) -> tuple[float, ...]:
    """The two-sided level of the test at each look, so that all of them together err as often as error says."""
    times = np.array(seeds) / seeds[-1]
    spent = np.diff(error * times, prepend=0.0)
    bound = float(norm.isf(spent[0] / 2) * math.sqrt(times[0]))
    points, density = _inside(bound, lambda at: norm.pdf(at, scale=math.sqrt(times[0])))
    found = [float(spent[0])]
    for before, time, part in zip(times, times[1:], spent[1:], strict=False):
        bound = _bound(points, density, math.sqrt(time - before), part)
        points, density = _inside(bound, _spread(points, density, math.sqrt(time - before)))
        found.append(float(2 * norm.sf(bound / math.sqrt(time))))
    return tuple(found)


def _bound(points: Floats, density: Floats, step: float, part: float) -> float:
    """Beyond which the sum lies with probability part, and has not before."""

    def beyond(bound: float) -> float:
        tails = norm.cdf((points - bound) / step) + norm.cdf((-points - bound) / step)
        return float(density @ tails) - part

    return float(brentq(beyond, 0.0, 40.0))


def _spread(points: Floats, density: Floats, step: float) -> Callable[[Floats], Floats]:
    return lambda at: np.asarray(norm.pdf(at[:, np.newaxis], points, step) @ density)


def _inside(bound: float, density: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Points between the bounds, and the probability at each: Gauss's quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes * bound, weights * bound * density(nodes * bound)
