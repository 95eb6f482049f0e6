"""The initial weights that each side would have started from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, ks_2samp

from samestep.matching import floor
from samestep.matching.judging import Comparison, Judged, judge, worst_element
from samestep.matching.sides import Sides, State
from samestep.results import Stage

Array = NDArray[Any]
UNRELATED = 0.5
"""Weights this far apart, relative to their spread, are draws of their own and not the same draw altered."""
SIGNIFICANCE = 1e-4
"""Below this p-value, over all tensors together, two draws are of different distributions, or too near to be two draws."""


def compare_initial(sides: Sides, left: State, right: State, own_init: bool) -> Judged:
    """Equal draws are compared element by element; unrelated draws by distribution, if their own are to be kept.

    Constants are one draw: a slot that starts from another value is a difference.
    """
    comparisons, unrelated = [], []
    twins = list(_twins(sides, left, right))
    for name, one, other_name, other in twins:
        if _unrelated(one, other, SIGNIFICANCE / len(twins) if name in sides.parameters.right_names else 1.0):
            unrelated.append((name, one, other))
        else:
            times = floor.times_floor(one, [], other)
            comparisons.append(Comparison(name, 0, times, *worst_element(name, one, other_name, other)))
    if not unrelated or any(c.times_floor >= floor.ROUNDING for c in comparisons):
        return judge("init", comparisons)
    return _judge_draws(unrelated, own_init)


def _twins(sides: Sides, left: State, right: State) -> Iterator[tuple[str, Array, str, Array]]:
    """Name and value on the left, and on the right in the left layout, of parameters, slots and buffers."""
    for group, entries in sides.to_left(right).items():
        for name, value in entries.items():
            yield name.replace("|", " of "), left[group][name], sides.right_name(name), value


def _unrelated(one: Array, other: Array, level: float) -> bool:
    """Whether these are two draws: a few elements may be near each other by chance, as long as its probability is the level."""
    if np.array_equal(one, other):
        return False
    if level < 1.0 and one.size == 1:
        return True  # one element of a parameter cannot be told a draw from a constant
    if not _drawn(one) and not _drawn(other):
        return False
    one, other = one.astype(np.float64), other.astype(np.float64)
    spread, gap = float(np.std(one)), float(np.sqrt(np.mean((one - other) ** 2)))
    if spread == 0:
        return bool(np.std(other) > 0)
    # the difference of two normal draws has twice their variance
    by_chance = chi2.cdf(one.size * gap**2 / (np.var(one, ddof=1) + np.var(other, ddof=1)), one.size)
    return gap > UNRELATED * spread or bool(by_chance > level)


def _drawn(array: Array) -> bool:
    """Whether the values come from a distribution: a constant, or blocks of them as an LSTM's biases, repeat theirs."""
    return np.unique(array).size > array.size / 2


def _judge_draws(unrelated: list[tuple[str, Array, Array]], own_init: bool) -> Judged:
    level = SIGNIFICANCE / len(unrelated)
    tests = [(name, _p_value(one, other), one, other) for name, one, other in unrelated]
    odd = [(name, one, other) for name, p_value, one, other in tests if p_value < level]
    if odd:
        name, one, other = odd[0]
        spreads = float(np.std(one)), float(np.std(other))
        if own_init:
            return judge("init", [Comparison(name, 0, float("inf"), *spreads)], "distributions of the initial weights")
        note = f"the sides' own draws differ in distribution (std of {name}: {spreads[0]:.3g} | {spreads[1]:.3g}); left's copied"
    else:
        note = "each side's own draw, of one distribution" + ("" if own_init else "; left's copied to the right")
    return Judged(Stage("init", "rounding" if own_init else "identical", None, unrelated[0][0], 0, note))


def _p_value(one: Array, other: Array) -> float:
    """How probable two draws at least as far apart in distribution are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of few elements its exact formula may fail, where p is near 1
        return float(ks_2samp(one.ravel(), other.ravel()).pvalue)
