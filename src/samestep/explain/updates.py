"""Why the same gradients make different updates: both optimizers are given gradients of all sizes, and identified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fitting import Evidence, Fit, differences, fits, likeliest_first, nearest
from samestep.explain.fixes.optimizers import FORMS, optimizer_cause
from samestep.explain.references import optimizers
from samestep.explain.references.optimizers import Updates
from samestep.explain.schedules import scheduled_apart
from samestep.matching import floor
from samestep.matching.judging import Comparison
from samestep.matching.reaction import Reaction, watch_update
from samestep.matching.sides import State
from samestep.worker.parent import Worker

Array = NDArray[Any]

ELEMENTS = 64
"""Elements of each tensor that are given a gradient; the others are zero and stay so, so that norms are known."""
RATES = (1.0, 1.0, 0.5, 0.5, 1.0)
"""The learning rate of each update, relative to the first: a change shows whether a velocity holds it."""
LONGER = (1.0, 0.5, 1.0, 1.0)
SLOW = ("RAdam",)
"""Algorithms that only do what sets them apart after more updates than others are given."""
MOST_ACCUMULATED = 16
"""Gradients that an optimizer is given before it is taken for one that never updates."""
WEIGHTS = (-3.0, -1.0)
"""Decimal exponents of the parameters at first: decay shows in them, and storing them rounds little away."""
SMALL, SMALLER, LARGE = (-9.0, -1.0), (-10.0, -4.0), (-5.0, 3.0)
"""Decimal exponents of the gradients: below usual clipping, below any, and above it; small enough to show an epsilon."""


def explain_update(case: Case, worst: Comparison) -> Explanation:
    """The settings in which the optimizers differ."""
    if case.sides.lacking("update"):
        return Explanation(ruled_out=f"no optimizer can be given gradients by itself: {case.sides.lacking('update')}")
    workers = (case.sides.left, case.sides.right)
    known = [name for worker in workers for name in worker.ask("settings")]
    sides = zip(workers, case.starts, case.batches, strict=True)
    found, evidence = zip(*(identified(*side, case.rng, known) for side in sides), strict=True)
    pair = nearest(found[0], found[1], (evidence[0], evidence[1]))
    if pair is None:
        which = " nor ".join(name for name, fitting in zip(("left", "right"), found, strict=True) if not fitting)
        return Explanation(ruled_out=f"no known optimizer reproduces what the {which} one does")
    told = sorted(differences(*pair), key=lambda difference: difference[0] in FORMS)
    told += _decayed_apart(case, pair, evidence)
    if scheduled_apart(case):  # which names the cause
        told = [difference for difference in told if difference[0] != "learning_rate"]
    elif not told:
        return Explanation(ruled_out="the same settings of a known optimizer reproduce both")
    return Explanation(tuple(optimizer_cause(case, difference, pair) for difference in told))


def _decayed_apart(case: Case, pair: tuple[Fit, Fit], evidence: Sequence[Evidence]) -> list[tuple[str, Any, Any]]:
    """Which tensors decay, where weights decay on both sides but not the same ones."""
    masks = [[bool(seen.given[0].decays[where.start]) for where in seen.given[0].tensors] for seen in evidence]
    named = [dict(zip(start["parameters"], mask, strict=True)) for start, mask in zip(case.starts, masks, strict=True)]
    twins = case.sides.parameters.right_names
    same = all(named[0].get(left) == named[1].get(right) for left, right in twins.items())
    if same or not all(fit.settings["weight_decay"] for fit in pair):
        return []
    shapes = [{name: array.ndim for name, array in start["parameters"].items()} for start in case.starts]
    told = [_which(mask, ndim) for mask, ndim in zip(named, shapes, strict=True)]
    return [("weight_decay_tensors", *told)]


def _which(decays: dict[str, bool], ndim: dict[str, int]) -> Any:
    """The tensors that decay: all, kernels (those of more than one axis), or their names."""
    if all(decays.values()):
        return "all"
    kernels = all(decay == (ndim[name] > 1) for name, decay in decays.items())
    return "kernels" if kernels else [name for name, decay in decays.items() if decay]


def identified(
    worker: Worker, start: State, batch: dict[str, Any], rng: np.random.Generator, known: Iterable[str] = ()
) -> tuple[list[Fit], Evidence]:
    """What reproduces a program's optimizer from the state that training starts in, and what it was seen to do.

    known: settings that another side declares, which say where to look first for one that declares none.
    """
    worker.ask("state", values=start)
    declared = {name: entry["value"] for name, entry in worker.ask("settings").items()}
    names = set(declared) if set(declared) - {"learning_rate"} else {*declared, *known}
    return _identified(_Probe(worker, start, batch, rng), declared, names)


def _identified(probe: _Probe, declared: dict[str, float], known: set[str]) -> tuple[list[Fit], Evidence]:
    """What fits small gradients, and then large ones too, clipped where they have to be."""
    for exponents in (SMALL, SMALLER):
        found, both = _at(exponents, probe, declared, known)
        if found:
            break
    return found, both


def _at(
    exponents: tuple[float, float], probe: _Probe, declared: dict[str, float], known: set[str]
) -> tuple[list[Fit], Evidence]:
    small, large = probe.evidence(exponents), probe.evidence(LARGE)
    variants = likeliest_first(optimizers.variants(bool(small.given[0].decays.any()), probe.every), known)
    unclipped = fits(variants, small, declared)
    if unclipped and unclipped[0].variant.name in SLOW:
        small, large = probe.evidence(exponents, RATES + LONGER), probe.evidence(LARGE, RATES + LONGER)
        unclipped = fits([fit.variant for fit in unclipped], small, declared)
    both = _joined(small, large)
    found = fits([fit.variant for fit in unclipped], both, unclipped[0].numbers) if unclipped else []
    for fit in () if found else unclipped:
        found += fits(optimizers.clipped(fit.variant.with_numbers(**fit.numbers)), both, {**declared, **fit.numbers})
    return found, both


class _Probe:
    """One side's optimizer, given a row of gradients from the state that training starts in."""

    def __init__(self, worker: Worker, start: State, batch: dict[str, Any], rng: np.random.Generator) -> None:
        self.worker, self.start, self.batch, self.rng = worker, start, batch, rng
        self.places = {
            name: np.sort(rng.choice(array.size, min(ELEMENTS, array.size), replace=False))
            for name, array in start["parameters"].items()
        }
        self.every = self._batches_an_update()

    def _batches_an_update(self) -> int:
        """How many gradients the optimizer takes before it moves the parameters; 1 if it never does."""
        state, given, count = self.start, self._spread(LARGE), 0
        while count < MOST_ACCUMULATED:
            self.worker.ask("state", values=state)
            rate = self.worker.ask("settings").get("learning_rate", {}).get("value", 1.0)
            before, state = state, self.worker.ask("update", gradients=given, **self.batch)
            count += 1 if rate else 0  # a warm-up may begin with a rate of zero
            if not _all_equal(before["parameters"], state["parameters"]):
                return count
            if not rate and np.array_equal(before["counters"]["step"], state["counters"]["step"]):
                return 1
        return 1

    def evidence(self, exponents: tuple[float, float], relative: Sequence[float] = RATES) -> Evidence:
        """What updates the optimizer makes of gradients of these sizes, at these rates relative to the first one."""
        self.worker.ask("state", values=self.start)  # where it stands, its own schedule may have another rate
        settings = self.worker.ask("settings")
        try:
            rate = settings.get("learning_rate", {}).get("value", float("nan"))
            return self._evidence(exponents, rate * np.repeat(relative, self.every))
        finally:
            self.worker.ask("settings", values={name: entry["value"] for name, entry in settings.items()})
            self.worker.ask("state", values=self.start)

    def _evidence(self, exponents: tuple[float, float], rates_wanted: Array) -> Evidence:
        state = {**self.start, "parameters": self._spread(WEIGHTS, first=1.0)}
        rows: list[tuple[Any, ...]] = []
        given: dict[str, Array] = {}
        for wanted in rates_wanted:
            given = self._like_first(self._spread(exponents), given if len(rows) % self.every else None)
            state, now = self._with_rate(state, float(wanted))
            rows.append((self._flat(state["parameters"]), self._flat(given), now))
            reaction = Reaction(watch_update(self.worker, state, given, self.batch, storing=False), self.rng)
            reaction.grow(floor.DRAWS if len(rows) % self.every == 0 else 1)
            near = [self._update(reaction.siblings[n % len(reaction.siblings)]) for n in range(floor.DRAWS)]
            rows[-1] += (self._update(reaction.seen), near)
            self.worker.ask("state", values=state)
            state = self.worker.ask("update", gradients=given, **self.batch)
        parameters, gradients, rates, seen, siblings = (np.array(column) for column in zip(*rows, strict=True))
        moved = [*np.swapaxes(siblings, 0, 1), *self._stored(parameters, seen)]
        updates = Updates(
            parameters, gradients, rates / (rates[0] or np.max(rates) or 1.0), self._slices(), np.ones(seen.shape[1])
        )
        return Evidence((replace(updates, decays=_decays(updates, seen[self.every - 1])),), seen, moved)

    @staticmethod
    def _like_first(given: dict[str, Array], before: dict[str, Array] | None) -> dict[str, Array]:
        """Gradients that are zero where those are that they are accumulated with."""
        if before is None:
            return given
        return {name: np.where(before[name] == 0, 0, array).astype(array.dtype) for name, array in given.items()}

    def _stored(self, parameters: Array, seen: Array) -> list[Array]:
        """The updates moved by what storing the new parameters rounds away, which no sibling need show."""
        dtypes = [array.dtype for array in self.start["parameters"].values()]
        step = np.max([np.finfo(dtype).eps for dtype in dtypes if dtype.kind == "f"]) / 2
        sizes = step * np.abs(parameters + seen)
        return [seen + sizes * self.rng.choice([-1.0, 1.0], seen.shape) for _ in range(2)]

    def _with_rate(self, state: State, rate: float) -> tuple[State, float]:
        """The state with this learning rate, which it may hold; and the rate, or what the program's own schedule has."""
        self.worker.ask("state", values=state)
        if not np.isfinite(rate):
            return state, 1.0
        now = self.worker.ask("settings", values={"learning_rate": rate})["learning_rate"]["value"]
        return self.worker.ask("state"), float(now)

    def _spread(self, exponents: tuple[float, float], first: float = 0.0) -> dict[str, Array]:
        """Numbers of all sizes and either sign at the places looked at, some of them zero; zero elsewhere.

        first: the sign of each tensor's first one. A weight without a gradient shows whether it decays.
        """
        return {
            name: self._numbers(array, self.places[name], exponents, first)
            for name, array in self.start["parameters"].items()
        }

    def _numbers(self, like: Array, places: Array, exponents: tuple[float, float], first: float) -> Array:
        signs = self.rng.choice([-1.0, 1.0, 1.0, -1.0, 0.0], places.size)
        if places.size > 1:
            signs[0] = first
        made = np.zeros(like.size)
        made[places] = 10 ** self.rng.uniform(*exponents, places.size) * signs
        return made.reshape(like.shape).astype(like.dtype)

    def _flat(self, tensors: dict[str, Array]) -> Array:
        return np.concatenate([tensors[name].ravel()[places] for name, places in self.places.items()]).astype(
            np.float64
        )

    def _update(self, seen: Mapping[str, Array]) -> Array:
        return self._flat({name: seen[f"update|{name}"] for name in self.places})

    def _slices(self) -> tuple[slice, ...]:
        ends = np.cumsum([places.size for places in self.places.values()])
        return tuple(slice(end - places.size, end) for end, places in zip(ends, self.places.values(), strict=True))


def _all_equal(before: dict[str, Array], after: dict[str, Array]) -> bool:
    return all(np.array_equal(array, after[name]) for name, array in before.items())


def _decays(updates: Updates, first: Array) -> Array:
    """1 for the elements of tensors that move where they have no gradient."""
    still = (updates.gradients[0] == 0) & (updates.parameters[0] != 0)
    moves = [first[where][still[where]] for where in updates.tensors]
    usual = any(np.any(moved) for moved in moves)  # for a tensor without such an element
    decays = [np.any(moved) if moved.size else usual for moved in moves]
    return np.repeat(np.array(decays, float), [where.stop - where.start for where in updates.tensors])


def _joined(one: Evidence, other: Evidence) -> Evidence:
    siblings = [np.concatenate(both) for both in zip(one.siblings, other.siblings, strict=True)]
    return Evidence(one.given + other.given, np.concatenate([one.seen, other.seen]), siblings)
