"""The free run: both sides train from the same state on their own, with the left side's ±1-ulp siblings beside them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.double import Doubles, state_in_double
from samestep.matching.judging import Comparison, Judged, judge, nothing_to_compare
from samestep.matching.reaction import settings_moved
from samestep.matching.sides import Sides, State
from samestep.results import SAME, Epoch
from samestep.worker.parent import Worker

Curve = NDArray[np.float64]
SIBLINGS = 3
"""Trainings of the left program from ±1 ulp beside its own."""
REPEATED_STEPS = 200
"""So far is the left program's own run repeated, to see whether its state holds all that it depends on."""

LOSS_PRECISION = np.float32
"""Curves are held in float64, and computed in float32 at best."""


@dataclass(frozen=True)
class FreeRun:
    """The judged curves, the table of the epochs, and the step at which the right curve leaves the siblings, if it does.

    left, siblings: how the left side went on from its start, and from ±1 ulp beside.
    """

    judged: Judged
    epochs: tuple[Epoch, ...]
    departure: int | None
    left: Curve
    siblings: list[Curve]


def run_freely(
    sides: Sides,
    starts: tuple[State, State],
    plan: dict[str, Any],
    rng: np.random.Generator,
    own_init: bool,
    fresh_left: Callable[[], Worker],
    watch: Callable[[float], None],
) -> FreeRun:
    """Train the right side once and the left side 1 + SIBLINGS times.

    It comes before any other observation, so that programs with state that cannot be restored, such as a counter
    of their own, are seen as they are. starts: the initial states; the right side trains from the left one's
    unless own_init. plan: the arguments of a `train` request. fresh_left: starts another process of the left program.
    """
    start, right_start = starts
    if not own_init:
        right_start = sides.right.ask("state", values=sides.to_right(start))
    sides.right.send("train", **plan)
    left, siblings, note = _train_left(sides.left, start, plan, rng, fresh_left, watch)
    right = sides.right.receive()
    judged = _judge_curves(left, right, siblings, note)
    if not own_init and judged.stage.verdict not in SAME:
        judged = min(
            judged, _judge_by_right_siblings(sides.right, right_start, plan, rng, left, right, note), key=_times
        )
    if own_init and judged.stage.verdict != "identical":
        judged = nothing_to_compare("free run", "from each side's own weights: the table shows it, nothing is judged")
    departure = None if judged.stage.verdict in SAME else _departure(left, right, siblings)
    curves = left["running_loss"], [sibling["running_loss"] for sibling in siblings]
    return FreeRun(judged, _table(left, right, siblings), departure, *curves)


def judge_in_double(free: FreeRun, sides: Sides, start: State, plan: dict[str, Any], doubles: Doubles) -> Judged:
    """Let float64 decide about curves that left the siblings: they stay together there if rounding took them apart.

    start: the left side's state at the beginning.
    """
    right_start = sides.right.ask("state", values=sides.to_right(start))
    runs = [
        doubles.look(side, partial(_train, start=state_in_double(here), plan=plan))
        for side, here in enumerate((start, right_start))
    ]
    if any(run is None or len(run["running_loss"]) != len(free.left) for run in runs):
        return free.judged
    exact = _judge_curves(runs[0], runs[1], _lent(runs[0], free.left, free.siblings), "")
    if exact.worst is None or floor.ROUNDING <= _times(exact) < _times(free.judged) / 2:
        return free.judged
    return judge("free run", [replace(exact.worst, in_double=_times(exact) >= floor.ROUNDING)], "compared in float64")


def _train_left(
    worker: Worker,
    start: State,
    plan: dict[str, Any],
    rng: np.random.Generator,
    fresh_left: Callable[[], Worker],
    watch: Callable[[float], None],
) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The left program's own run, its siblings, and a note where it does not repeat from one state in one process.

    Siblings of such a program are trained in fresh processes, where what its state lacks is as at the start.
    """
    worker.on_progress = partial(_report, watch, 0)
    own = _train(worker, start, plan)
    again = _train(worker, start, {**plan, "steps": min(plan["steps"], REPEATED_STEPS)})["running_loss"]
    repeats = np.array_equal(again, own["running_loss"][: len(again)], equal_nan=True)
    siblings = []
    for number in range(1, 1 + SIBLINGS):
        with nullcontext(worker) if repeats else fresh_left() as runner:
            runner.on_progress = partial(_report, watch, number)
            siblings.append(_train_sibling(runner, start, plan, rng))
    note = "" if repeats else "the left program does not repeat from the same state in one process"
    return own, siblings, note


def _report(watch: Callable[[float], None], number: int, done: int, total: int) -> None:
    watch((number + done / total) / (1 + SIBLINGS))


def _train(worker: Worker, start: State, plan: dict[str, Any]) -> dict[str, Any]:
    worker.ask("state", values=start)
    answer: dict[str, Any] = worker.ask("train", **plan)
    return answer


def _train_sibling(worker: Worker, start: State, plan: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    worker.ask("state", values=start)
    with settings_moved(worker, rng):
        return _train(worker, floor.moved_tree(start, rng), plan)


def _judge_curves(left: dict[str, Any], right: dict[str, Any], siblings: list[dict[str, Any]], note: str) -> Judged:
    one, other = left["running_loss"], right["running_loss"]
    if len(one) != len(other):
        step = min(len(one), len(other))
        return judge("free run", [Comparison("number of steps", step, float("inf"), len(one), len(other))], note)
    near = [sibling["running_loss"] for sibling in siblings]
    return judge("free run", [_turned_bad(one, other, near) or _worst_window(one, other, near)], note)


def _judge_by_right_siblings(
    worker: Worker,
    start: State,
    plan: dict[str, Any],
    rng: np.random.Generator,
    left: dict[str, Any],
    right: dict[str, Any],
    note: str,
) -> Judged:
    """Judge by how far rounding takes the right side, which may react more to it than its twin without being another."""
    if len(left["running_loss"]) != len(right["running_loss"]):
        return _judge_curves(left, right, [], note)
    curves = [_train_sibling(worker, start, plan, rng)["running_loss"] for _ in range(SIBLINGS)]
    return _judge_curves(left, right, _lent(left, right["running_loss"], curves), note)


def _lent(run: dict[str, Any], own: Curve, siblings: list[Curve]) -> list[dict[str, Any]]:
    """Siblings for a run that move it as these siblings move their own one."""
    return [{"running_loss": run["running_loss"] + (sibling - own)} for sibling in siblings]


def _times(judged: Judged) -> float:
    return float("inf") if judged.stage.times_floor is None else judged.stage.times_floor


def _turned_bad(one: Curve, other: Curve, near: list[Curve]) -> Comparison | None:
    """The step at which only one side's loss stops being a finite number, unless rounding decides that."""
    odd = np.flatnonzero(np.isfinite(one) != np.isfinite(other))
    if len(odd) == 0:
        return None
    step = int(odd[0])
    if any(not np.all(np.isfinite(s) == np.isfinite(one)) for s in near):
        return Comparison("loss turns NaN or infinite", step, floor.DIFFERENT / 2, float(one[step]), float(other[step]))
    return Comparison("loss turns NaN or infinite", step, float("inf"), float(one[step]), float(other[step]))


def _worst_window(one: Curve, other: Curve, near: list[Curve]) -> Comparison:
    """The window, each twice as long as the one before, in which the right curve leaves the siblings' spread most."""
    worst = Comparison("running loss", 0, 0.0)
    for start, stop in _windows(len(one)):
        part = slice(start, stop)
        times = floor.times_floor(one[part], [s[part] for s in near], other[part], LOSS_PRECISION)
        if times > worst.times_floor:
            step = start + int(np.nanargmax(np.abs(other[part] - one[part])))
            worst = Comparison("running loss", step, times, float(one[step]), float(other[step]))
    return worst


def _departure(left: dict[str, Any], right: dict[str, Any], siblings: list[dict[str, Any]]) -> int | None:
    """The first step at which the right loss is farther from the left than rounding has yet taken any sibling."""
    one, other = left["running_loss"], right["running_loss"]
    if len(one) != len(other):
        return None
    with np.errstate(invalid="ignore"):
        moves = np.max([np.abs(sibling["running_loss"] - one) for sibling in siblings], axis=0)
        reach = np.maximum.accumulate(np.nan_to_num(moves, nan=0.0)) + np.finfo(LOSS_PRECISION).eps * np.abs(one)
        gone = (np.abs(other - one) > floor.ROUNDING * reach) | (np.isfinite(one) != np.isfinite(other))
    return int(np.argmax(gone)) if gone.any() else None


def _windows(length: int) -> list[tuple[int, int]]:
    windows, start, size = [], 0, 4
    while start < length:
        windows.append((start, min(length, start + size)))
        start, size = start + size, size * 2
    return windows


def _table(left: dict[str, Any], right: dict[str, Any], siblings: list[dict[str, Any]]) -> tuple[Epoch, ...]:
    rows = []
    for number, (one, other) in enumerate(zip(left["epochs"], right["epochs"], strict=False)):
        twins = paired_metrics(list(one), list(other))
        spread = {
            name: float(np.sqrt(np.mean([(s["epochs"][number][name] - one[name]) ** 2 for s in siblings])))
            for name in twins
        }
        shown = {name: one[name] for name in twins}, {name: other[twin] for name, twin in twins.items()}
        rows.append(Epoch(number + 1, *shown, spread))
    return tuple(rows)


def paired_metrics(left: list[str], right: list[str]) -> dict[str, str]:
    """Left metric to right metric: by name, and those left over by order where both sides have as many; loss first."""
    pairs = {name: name for name in ("loss", *left) if name in left and name in right}
    over = [name for name in left if name not in pairs], [name for name in right if name not in pairs]
    if len(over[0]) == len(over[1]):
        pairs.update(zip(*over, strict=True))
    return pairs
