"""Find the settings under which a reference reproduces what a program did, and the fewest in which two programs differ.

A variant is one way to compute something, with numbers still to be found. It fits if some numbers bring it within
rounding of all that was observed; numbers are then made round, or the other side's, as far as that keeps them fitting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from samestep.matching import floor

Array = NDArray[Any]
Settings = Mapping[str, Any]

SHARES = ("beta_1", "beta_2", "rho")
"""Settings that lie near 1 and act by their distance from it."""
POSITIVE = ("learning_rate", "epsilon", "clip", "initial_accumulator", "momentum_decay", "delta")
"""Settings that act by their order of magnitude."""
SIMPLER = 3.0
"""Numbers may be made simpler, or the other side's, as long as no more floors are left than this, or than twice the best."""
FAR = 1e100
"""A gap that is no number, in units of rounding, and the most that one counts for: the sum of squares stays finite."""
MOST = {"epsilon": 1.0, "learning_rate": 1e3, "beta_1": 1 - 1e-6, "beta_2": 1 - 1e-6, "rho": 1 - 1e-6}
"""Beyond these an algorithm only plays another one: with a huge epsilon and rate Adam is gradient descent."""
EVALUATIONS = 60
"""Evaluations of a reference that one fit may take; those that converge take a few dozen."""


@dataclass(frozen=True)
class Variant:
    """One way to compute: its name, the choices it makes, its numbers with usual values, and the function.

    compute(given, settings) returns the arrays that were observed, float64, in one array. told(settings): the settings as
    a user knows them, without those that have no effect.
    """

    name: str
    choices: Settings
    numbers: Mapping[str, float]
    compute: Callable[[Any, Settings], Array]
    told: Callable[[Settings], Settings] = dict

    def with_choices(self, **choices: Any) -> Variant:
        """This variant with other choices."""
        return replace(self, choices={**self.choices, **choices})

    def with_numbers(self, **numbers: float) -> Variant:
        """This variant with more numbers to find, or other usual values."""
        return replace(self, numbers={**self.numbers, **numbers})


@dataclass(frozen=True)
class Evidence:
    """What a program was given and what it made of it.

    given: as the variants take it. seen: one array; siblings: it again, with all that the program read moved by one ulp.
    """

    given: Any
    seen: Array
    siblings: Sequence[Array]

    def times(self, predicted: Array) -> float:
        """Floors between what a reference says and what was seen, the worst of all rows."""
        if predicted.shape != self.seen.shape or not np.isfinite(predicted).all():
            return float("inf")
        rows = zip(self.seen, predicted, *self.siblings, strict=True)
        return max(floor.times_floor(seen, near, said, np.float32) for seen, said, *near in rows)

    @cached_property
    def tolerance(self) -> Array:
        """The size of rounding of each element."""
        moves = np.array([sibling - self.seen for sibling in self.siblings])
        moved = np.sqrt(np.mean(moves**2, axis=0)) if len(moves) else np.zeros_like(self.seen)
        ulps = np.finfo(np.float32).eps * (np.abs(self.seen) + 1e-3 * np.max(np.abs(self.seen), initial=0.0))
        return np.asarray(np.maximum(moved, ulps) + np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Fit:
    """A variant with numbers that reproduce what was seen, and how many floors are left."""

    variant: Variant
    numbers: Mapping[str, float]
    times: float

    @property
    def settings(self) -> Settings:
        """Choices and numbers, as a user knows them."""
        return self.variant.told({**self.variant.choices, **self.numbers})


def fits(variants: Sequence[Variant], evidence: Evidence, declared: Mapping[str, float]) -> list[Fit]:
    """The variants of one name that reproduce what was seen within rounding: of the first name that has any.

    Those that do so with their declared numbers are enough; numbers are looked for where none does.
    declared: what the program says of its settings.
    """
    for _, group in groupby(variants, key=lambda variant: variant.name):
        named = list(group)
        tried = [_fitted(variant, evidence, [_declared(variant, declared)]) for variant in named]
        if not any(tried):
            tried = [fit(variant, evidence, declared) for variant in named]
        if any(tried):
            return [found for found in tried if found is not None]
    return []


def likeliest_first(variants: Sequence[Variant], declared: Iterable[str]) -> list[Variant]:
    """The variants, those of a name first that has numbers as they are declared; in their order otherwise."""
    names, unlike = set(declared), dict[str, int]()
    for variant in variants:
        count = len(variant.numbers.keys() ^ names)
        unlike[variant.name] = min(count, unlike.get(variant.name, count))
    return sorted(variants, key=lambda variant: unlike[variant.name])


def fit(variant: Variant, evidence: Evidence, declared: Mapping[str, float]) -> Fit | None:
    """The variant with numbers that reproduce what was seen, by least squares; None if none do."""
    return _fitted(variant, evidence, _starts(variant, evidence, declared))


def _fitted(variant: Variant, evidence: Evidence, starts: Iterable[Mapping[str, float]]) -> Fit | None:
    """The variant with the first of these numbers that reproduce what was seen, as round as they can be; None if none do."""
    plausible = (
        dict(numbers) for numbers in starts if all(numbers.get(name, 0) <= most for name, most in MOST.items())
    )
    best = next((numbers for numbers in plausible if _times(variant, evidence, numbers) < floor.ROUNDING), None)
    if best is None:
        return None
    limit = _limit(_times(variant, evidence, best))
    simple = _rounded_together(variant, evidence, best, limit)
    for name in best if simple is None else ():
        best = _rounded(variant, evidence, best, name, limit)
    best = simple or best
    return Fit(variant, best, _times(variant, evidence, best))


def _declared(variant: Variant, declared: Mapping[str, float]) -> dict[str, float]:
    return {name: declared.get(name, usual) for name, usual in variant.numbers.items()}


def _starts(variant: Variant, evidence: Evidence, declared: Mapping[str, float]) -> Iterator[dict[str, float]]:
    """Numbers by least squares, from the declared ones and from the usual ones."""
    starts = [_declared(variant, declared), dict(variant.numbers)]
    if "learning_rate" in variant.numbers and "learning_rate" not in declared:
        starts.append(_at_scale(variant, evidence, dict(variant.numbers)))
    scales: tuple[Callable[[Array], Array], ...] = (np.asarray, np.arcsinh)
    for start in starts:
        for scale in scales:
            yield _refined(variant, evidence, start, scale)


def _at_scale(variant: Variant, evidence: Evidence, start: dict[str, float]) -> dict[str, float]:
    """The numbers with a learning rate at which what they give is of the size of what was seen."""
    with np.errstate(all="ignore"):
        ratios = np.abs(evidence.seen / variant.compute(evidence.given, {**variant.choices, **start}))
    usable = ratios[np.isfinite(ratios) & (ratios > 0)]
    return {**start, "learning_rate": start["learning_rate"] * float(np.median(usable))} if usable.size else start


def nearest(left: Sequence[Fit], right: Sequence[Fit], evidence: tuple[Evidence, Evidence]) -> tuple[Fit, Fit] | None:
    """The pair of fits that differs in the fewest settings, each number made the other side's where that fits too."""
    pairs = [_brought_near(one, other, evidence) for one in left for other in right]
    return min(pairs, key=lambda pair: len(differences(*pair)), default=None)


def differences(left: Fit, right: Fit) -> list[tuple[str, Any, Any]]:
    """(setting, left, right) where two fits differ; another algorithm is the one difference of its kind.

    A setting that has no effect on one side is none.
    """
    if left.variant.name != right.variant.name:
        return [("algorithm", left.variant.name, right.variant.name)]
    ours, theirs = left.settings, right.settings
    return [(name, ours[name], theirs[name]) for name in ours if name in theirs and ours[name] != theirs[name]]


def _brought_near(left: Fit, right: Fit, evidence: tuple[Evidence, Evidence]) -> tuple[Fit, Fit]:
    for name in left.numbers.keys() & right.numbers.keys():
        right = _with_other(right, evidence[1], name, left.numbers[name])
        left = _with_other(left, evidence[0], name, right.numbers[name])
    return left, right


def _with_other(found: Fit, evidence: Evidence, name: str, value: float) -> Fit:
    """The fit with another value of one number, if that fits as well."""
    numbers = {**found.numbers, name: value}
    times = _times(found.variant, evidence, numbers) if value != found.numbers[name] else found.times
    return Fit(found.variant, numbers, times) if times < _limit(found.times) else found


def _limit(times: float) -> float:
    """How many floors simpler numbers may leave where the best leave so many."""
    return min(floor.ROUNDING, max(SIMPLER, 2 * times))


def _times(variant: Variant, evidence: Evidence, numbers: Mapping[str, float]) -> float:
    with np.errstate(all="ignore"):
        return evidence.times(variant.compute(evidence.given, {**variant.choices, **numbers}))


def _refined(
    variant: Variant, evidence: Evidence, start: dict[str, float], scale: Callable[[Array], Array]
) -> dict[str, float]:
    """Numbers near the start that bring the variant as near as they can to what was seen, by least squares.

    scale: of the gaps in units of rounding: as they are, or by orders of magnitude, so that small elements count too.
    """
    names = list(start)
    if not names:
        return start

    def residuals(point: Array) -> Array:
        numbers = {name: _number(name, value) for name, value in zip(names, point, strict=True)}
        with np.errstate(all="ignore"):
            gap = (variant.compute(evidence.given, {**variant.choices, **numbers}) - evidence.seen) / evidence.tolerance
        apart: Array = np.clip(np.nan_to_num(scale(gap), nan=FAR), -FAR, FAR).ravel()
        return apart

    point = np.array([_coordinate(name, start[name]) for name in names])
    found = least_squares(residuals, point, x_scale="jac", max_nfev=EVALUATIONS)
    return {name: _number(name, value) for name, value in zip(names, found.x, strict=True)}


def _coordinate(name: str, value: float) -> float:
    if name in SHARES:
        return float(np.log(max(1.0 - value, 1e-12)))
    return float(np.log(max(value, 1e-30))) if name in POSITIVE else value


def _number(name: str, coordinate: float) -> float:
    if name in SHARES:
        return float(1.0 - np.exp(min(coordinate, 0.0)))
    return float(np.exp(np.clip(coordinate, -80, 80))) if name in POSITIVE else float(coordinate)


def _rounded(
    variant: Variant, evidence: Evidence, numbers: dict[str, float], name: str, limit: float
) -> dict[str, float]:
    """The numbers with one of them as round as it can be: zero, or with the fewest digits that fit, else as it was found."""
    for value in (0.0, *(float(f"{numbers[name]:.{digits}g}") for digits in range(1, 10))):
        changed = {**numbers, name: value}
        if value == numbers[name] or _times(variant, evidence, changed) < limit:
            return changed
    return numbers


def _rounded_together(
    variant: Variant, evidence: Evidence, numbers: dict[str, float], limit: float
) -> dict[str, float] | None:
    """All numbers with the same few digits, since one that is off can make up for another; None if that does not fit."""
    for digits in range(1, 5):
        changed = {name: float(f"{value:.{digits}g}") for name, value in numbers.items()}
        if _times(variant, evidence, changed) < limit:
            return changed
    return None
