"""How many seeds a group it takes, and how often so many would show a difference. Normal theory, by statsmodels and SciPy.

The difference and the standard deviation are those observed, which few seeds know badly: an answer is an order of magnitude.
"""

from __future__ import annotations

import itertools
import math

from scipy.stats import t as student
from statsmodels.stats.power import TTestIndPower, TTestPower

MOST = 1_000_000
"""Seeds a group beyond which no number is enough."""
CERTAIN = 8.0
"""Standard errors at which a difference is never missed."""


def fewest(paired: bool, level: float) -> int:
    """Seeds a group below which no permutation test reaches level: 2 of C(2n, n) ways to deal out, or 2 of 2ⁿ signs."""
    ways = (2**count if paired else math.comb(2 * count, count) for count in itertools.count(1))
    return next(count for count, number in enumerate(ways, 1) if number * level >= 2)


def chance(effect: float, seeds: int, paired: bool, level: float) -> float:
    """How often so many seeds a group show a difference of so many standard deviations."""
    if abs(effect) * math.sqrt(seeds / (1 if paired else 2)) > CERTAIN:  # where the noncentral t gives NaN before long
        return 1.0
    test = TTestPower() if paired else TTestIndPower()
    return float(test.power(abs(effect), seeds, level))


def chance_equivalent(effect: float, margin: float, seeds: int, paired: bool, level: float) -> float:
    """How often so many seeds show that the difference is within the margin; both in standard deviations."""
    freedom, error = (seeds - 1, math.sqrt(1 / seeds)) if paired else (2 * seeds - 2, math.sqrt(2 / seeds))
    critical = student.isf(level, freedom)
    ends = ((margin - effect) / error - critical, (margin + effect) / error - critical)
    return max(0.0, float(student.cdf(ends[0], freedom) + student.cdf(ends[1], freedom) - 1))


def needed(effect: float, paired: bool, level: float, power: float, margin: float | None) -> int | None:
    """The fewest seeds a group that show the difference, or where a margin is given that it is within it, that often."""

    def enough(seeds: int) -> bool:
        shown = chance(effect, seeds, paired, level) >= power
        return shown or (margin is not None and chance_equivalent(effect, margin, seeds, paired, level) >= power)

    low, high = fewest(paired, level), MOST
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
