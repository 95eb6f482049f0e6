"""Permutation tests of a difference of means, and the intervals that follow from them.

A hypothesis is a difference: right's mean minus left's. Take it away from the values, and which of them came from which group
says nothing; so each way to deal them out again is as likely as the one seen. How many lead as far is the p-value, and the
hypotheses that are not refuted are the interval. Both hold their level at any number of seeds where the groups differ in
their means alone. The difference is divided by its standard error (Welch's), so that they hold it in the limit where the
groups vary unequally too (Janssen 1997; Chung and Romano 2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ways = NDArray[np.int8]

RESAMPLES = 10_000
"""Ways to deal out: all where there are no more, so many at random otherwise, the one seen among them."""
ROWS = 1_000
"""Ways summed at once; a divisor of RESAMPLES."""
FAR = 1_000
"""Standard errors from which on a hypothesis is not refuted at all."""
ROUNDING = 1e-14
"""Relative size of what is left of the difference of two equal means."""
TIE = 1e-9
"""Relative difference below which two statistics are the same: sums in another order round otherwise."""


@dataclass(frozen=True)
class Permutations:
    """The statistic under a hypothesis: as seen, and in each way to deal out, the one seen first."""

    estimate: float
    error: float
    statistics: Callable[[float], Floats]

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two-sided."""
        return _share(np.abs(self.statistics(hypothesis)))

    def p_greater(self, hypothesis: float) -> float:
        """Of a difference that is the hypothesis or less."""
        return _share(self.statistics(hypothesis))

    def p_less(self, hypothesis: float) -> float:
        """Of a difference that is the hypothesis or more."""
        return _share(-self.statistics(hypothesis))

    def interval(self, level: float) -> tuple[float, float]:
        """The hypotheses whose p-value is above level; infinite where the seeds are too few to refute any."""
        return self._end(-1, level), self._end(1, level)

    def _end(self, side: int, level: float) -> float:
        """Bisected between a hypothesis that is kept and one that is refuted; 0 is one of them, so that p_value agrees."""
        kept, step = self.estimate, 4 * self.error or 1.0
        refuted = kept + side * step
        if side * self.estimate < 0:
            kept, refuted = (0.0, side * step) if self.p_value() > level else (kept, 0.0)
        while self.p_value(refuted) > level:
            kept, step = refuted, 4 * step
            refuted += side * step
            if step > FAR * (self.error or 1.0):
                return side * math.inf
        for _ in range(20):
            middle = (kept + refuted) / 2
            kept, refuted = (middle, refuted) if self.p_value(middle) > level else (kept, middle)
        return kept


def unpaired(left: Floats, right: Floats, seed: int) -> Permutations:
    """Of two groups of at least two values each."""
    n, m = len(left), len(right)
    size = float(np.abs([*left, *right]).max())
    estimate = float(_apart(right.mean() - left.mean(), size))
    residuals = _apart(np.concatenate([left - left.mean(), right - right.mean()]), size)
    from_right = np.repeat([0.0, 1.0], [n, m])
    terms = np.stack([residuals, residuals**2, from_right, residuals * from_right])
    sums = _sums(_dealt(n, m, seed), terms)

    def statistics(hypothesis: float) -> Floats:
        return _welch(sums, terms.sum(axis=1), n, m, estimate - hypothesis)

    variance = residuals[:n] @ residuals[:n] / (n - 1) / n + residuals[n:] @ residuals[n:] / (m - 1) / m
    return Permutations(estimate, math.sqrt(variance), statistics)


def _welch(sums: Floats, totals: Floats, n: int, m: int, shift: float) -> Floats:
    """Welch's t of each way to deal out, from sums of the residuals given to right, which its own have moved by shift."""
    total, squares = sums[0] + shift * sums[2], sums[1] + 2 * shift * sums[3] + shift**2 * sums[2]
    all_total, all_squares = totals[0] + shift * m, totals[1] + 2 * shift * totals[3] + shift**2 * m
    rest, rest_squares = all_total - total, all_squares - squares
    variance = np.maximum(squares - total**2 / m, 0.0) / (m - 1) / m
    variance += np.maximum(rest_squares - rest**2 / n, 0.0) / (n - 1) / n
    return _studentised(total / m - rest / n, variance, float(all_squares))


def paired_by_seed(left: Floats, right: Floats, seed: int) -> Permutations:
    """Of at least two pairs of the same seed: each difference may as well have the other sign."""
    n, size = len(left), float(np.abs([*left, *right]).max())
    differences = _apart(right - left, size)
    estimate = float(_apart(differences.mean(), size))
    residuals = _apart(differences - estimate, size)
    terms = np.stack([residuals, np.ones(n)])
    sums = _sums(_signs(n, seed), terms)

    def statistics(hypothesis: float) -> Floats:
        shift = estimate - hypothesis
        means = (sums[0] + shift * sums[1]) / n
        square = float(residuals @ residuals) + n * shift**2
        return _studentised(means, np.maximum(square / n - means**2, 0.0) / (n - 1), square)

    return Permutations(estimate, math.sqrt(float(residuals @ residuals) / (n - 1) / n), statistics)


def _apart(differences: Any, size: float) -> Any:
    """Differences of values of that size, without those that rounding makes where there are none."""
    return np.where(np.abs(differences) <= ROUNDING * size, 0.0, differences)


def _studentised(difference: Floats, variance: Floats, scale: float) -> Floats:
    """The difference over its standard error; infinite where nothing varies, 0 where there is no difference either."""
    flat = variance <= TIE**1.5 * scale
    nothing = np.abs(difference) <= TIE * math.sqrt(scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference / np.sqrt(variance)
    return np.where(nothing, 0.0, np.where(flat, np.copysign(np.inf, difference), ratio))


def _share(statistics: Floats) -> float:
    """How many are at least the first one."""
    first = statistics[0]
    return float(np.mean(statistics >= (first if math.isinf(first) else first - TIE * abs(first))))


def _sums(ways: Ways, terms: Floats) -> Floats:
    """A row a term: in each way, the sum of what is marked."""
    parts = (ways[start : start + ROWS].astype(float) for start in range(0, len(ways), ROWS))
    return np.concatenate([part @ terms.T for part in parts]).T


@lru_cache(maxsize=2)
def _dealt(n: int, m: int, seed: int) -> Ways:
    """Rows of n + m, the one seen first: 1 where the value goes to right."""
    places = np.arange(n + m)
    if math.comb(n + m, m) <= RESAMPLES:
        ways = np.array(sorted(combinations(places, m), key=lambda way: way != tuple(places[n:])))
    else:
        generator = np.random.default_rng(seed)
        parts = [np.argpartition(generator.random((ROWS, n + m)), m - 1)[:, :m] for _ in range(RESAMPLES // ROWS)]
        ways = np.concatenate(parts)
        ways[0] = places[n:]
    marked = np.zeros((len(ways), n + m), np.int8)
    np.put_along_axis(marked, ways, 1, axis=1)
    return marked


@lru_cache(maxsize=2)
def _signs(n: int, seed: int) -> Ways:
    """Rows of n signs, all of the first one +1."""
    if 2**n <= RESAMPLES:
        return np.array(list(product([1, -1], repeat=n)), np.int8)
    signs = np.random.default_rng(seed).choice(np.array([1, -1], np.int8), (RESAMPLES, n))
    signs[0] = 1
    return signs
