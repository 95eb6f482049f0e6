"""Why the learning rates differ: one is the other moved, scaled or counted otherwise, or both are found as known schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.errors import ProgramError
from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.schedules import rate_cause, schedule_cause
from samestep.explain.references.schedules import (
    EPOCH,
    UPDATE,
    Rates,
    differences,
    nearest,
    same,
    schedules,
)
from samestep.matching.judging import Comparison
from samestep.matching.sides import State
from samestep.worker.parent import Worker

Array = NDArray[Any]

DENSE = 150
"""Steps from the first on at which the rate is looked at, and epochs of them as far as the run goes."""
BEYOND = 4
"""How many times as long as the run a schedule is followed, and at least that far."""
OFFSETS = 10
"""Steps by which one schedule may be ahead of the other."""


def explain_schedule(case: Case, worst: Comparison) -> Explanation:
    """The settings in which the schedules differ."""
    found = _both_rates(case)
    common = min(len(found[0].steps), len(found[1].steps))
    left, right = (Rates(one.steps[:common], one.rates[:common], one.per_epoch) for one in found)
    told = told_apart(left, right)
    if not told:
        return Explanation(ruled_out="no known schedule gives the learning rates of both sides")
    if constant(left) and constant(right):
        return Explanation((rate_cause(case, *told[0]),))
    return Explanation(tuple(schedule_cause(case, *difference) for difference in told))


def scheduled_apart(case: Case) -> bool:
    """Whether it is the schedules that differ, and not only a learning rate that stays as it is."""
    differ = any(entry.stage.stage == "schedule" and entry.stage.verdict == "different" for entry in case.judged)
    return differ and not all(constant(rates) for rates in _both_rates(case))


def _both_rates(case: Case) -> list[Rates]:
    workers = (case.sides.left, case.sides.right)
    return [rates_of(case, worker, start) for worker, start in zip(workers, case.starts, strict=True)]


def constant(rates: Rates) -> bool:
    """Whether a learning rate does not change."""
    return same(rates.rates, np.full_like(rates.rates, rates.rates[0]))


def rates_of(case: Case, worker: Worker, start: State) -> Rates:
    """The learning rates of one side: at each of the first steps, around the first epochs, and on beyond the run."""
    every, total = case.steps_per_epoch, case.total
    far = np.unique(np.geomspace(DENSE, max(BEYOND * total, 2 * DENSE), 40).astype(int))
    edges = {epoch * every + shift for epoch in range(1, 40) for shift in (-1, 0, every // 2)}
    steps = sorted({*range(DENSE), *far.tolist(), *(step for step in edges if step <= far[-1])})
    worker.ask("state", values=start)
    try:
        rates = worker.ask("rates", steps=steps)
    except ProgramError:  # some schedules end with the run
        steps = [step for step in steps if step < total]
        rates = worker.ask("rates", steps=steps)
    finally:
        worker.ask("state", values=start)
    return Rates(np.array(steps), np.array(rates, float), every)


def told_apart(left: Rates, right: Rates) -> list[tuple[str, Any, Any]]:
    """(setting, left, right) in which two schedules differ; none if no known ones have these rates."""
    return _one_by_the_other(left, right) or _as_schedules(left, right)


def _one_by_the_other(left: Rates, right: Rates) -> list[tuple[str, Any, Any]]:
    """One difference that makes each side's rates from the other's, whatever their form: moved, counted in epochs, scaled."""
    if constant(left) and constant(right):
        return [("learning_rate", float(f"{left.rates[0]:.6g}"), float(f"{right.rates[0]:.6g}"))]
    one, other = left.dense, right.dense
    for ahead in range(1, min(OFFSETS, len(one) // 3)):
        if _moved(one, other, ahead):
            return [("offset", 0, ahead)]
        if _moved(other, one, ahead):
            return [("offset", ahead, 0)]
    for here, there, units in ((left, right, (EPOCH, UPDATE)), (right, left, (UPDATE, EPOCH))):
        by_epoch = here.by_epoch()
        if by_epoch is not None and not constant(by_epoch) and _starts_with(there.dense, by_epoch.dense):
            return [("unit", *units)]
    scale = right.rates[0] / left.rates[0] if left.rates[0] else 0.0
    if scale and same(left.rates * scale, right.rates):
        one_rate, other_rate = (float(f"{np.max(side.rates):.6g}") for side in (left, right))
        return [("learning_rate", one_rate, other_rate)]
    return []


def _moved(one: Array, other: Array, ahead: int) -> bool:
    """Whether the second row is the first one from a later place on; not by chance, in a stretch that does not change."""
    behind = one[ahead:]
    return same(behind, other[: len(behind)]) and not same(behind[1:], behind[:-1])


def _starts_with(row: Array, start: Array) -> bool:
    count = min(len(row), len(start))
    return count > 2 and same(row[:count], start[:count])


def _as_schedules(left: Rates, right: Rates) -> list[tuple[str, Any, Any]]:
    pair = nearest(schedules(left), schedules(right))
    return [] if pair is None else differences(*pair)
