"""The free run: both sides train from the same state on their own, with the left side's ±1-ulp siblings beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.judging import Comparison, Judged, judge, nothing_to_compare
from samestep.matching.sides import Sides, State
from samestep.results import Epoch
from samestep.worker.parent import Worker

Curve = NDArray[np.float64]
SIBLINGS = 3
"""Trainings of the left program from ±1 ulp beside its own."""


@dataclass(frozen=True)
class FreeRun:
    """The judged curves and the table of the epochs."""

    judged: Judged
    epochs: tuple[Epoch, ...]


def run_freely(
    sides: Sides,
    starts: tuple[State, State],
    plan: dict[str, Any],
    rng: np.random.Generator,
    metric_names: dict[str, str],
    own_init: bool,
    watch: Callable[[float], None],
) -> FreeRun:
    """Train the right side once and the left side 1 + SIBLINGS times.

    starts: the initial states; the right side trains from the left one's unless own_init. plan: the arguments
    of a `train` request. metric_names: left to right.
    """
    start = starts[0]
    sides.right.ask("state", values=starts[1])
    if not own_init:
        sides.right.ask("state", values=sides.to_right(start))
    sides.right.send("train", **plan)
    runs = []
    for number in range(1 + SIBLINGS):
        sides.left.on_progress = partial(_report, watch, number)
        runs.append(_train(sides.left, start, plan, rng if number else None))
    right = sides.right.receive()
    left, siblings = runs[0], runs[1:]
    judged = _judge_curves(left, right, siblings)
    if own_init and judged.stage.verdict != "identical":
        judged = nothing_to_compare("free run", "from each side's own weights: the table shows it, nothing is judged")
    return FreeRun(judged, _table(left, right, siblings, metric_names))


def _report(watch: Callable[[float], None], number: int, done: int, total: int) -> None:
    watch((number + done / total) / (1 + SIBLINGS))


def _train(worker: Worker, start: State, plan: dict[str, Any], rng: np.random.Generator | None) -> dict[str, Any]:
    if rng is None:
        worker.ask("state", values=start)
        answer: dict[str, Any] = worker.ask("train", **plan)
        return answer
    settings = worker.ask("settings")
    worker.ask("state", values=floor.moved_tree(start, rng))
    worker.ask("settings", values=floor.moved_settings(settings, rng))
    answer = worker.ask("train", **plan)
    worker.ask("settings", values={name: entry["value"] for name, entry in settings.items()})
    return answer


def _judge_curves(left: dict[str, Any], right: dict[str, Any], siblings: list[dict[str, Any]]) -> Judged:
    one, other = left["running_loss"], right["running_loss"]
    if len(one) != len(other):
        step = min(len(one), len(other))
        return judge("free run", [Comparison("number of steps", step, float("inf"), len(one), len(other))])
    near = [sibling["running_loss"] for sibling in siblings]
    return judge("free run", [_turned_bad(one, other, near) or _worst_window(one, other, near)])


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
        times = floor.times_floor(_f32(one[part]), [s[part] for s in near], other[part])
        if times > worst.times_floor:
            step = start + int(np.nanargmax(np.abs(other[part] - one[part])))
            worst = Comparison("running loss", step, times, float(one[step]), float(other[step]))
    return worst


def _f32(curve: Curve) -> NDArray[np.float32]:
    """Losses are computed in float32 at best; that is the least floor of a curve."""
    return curve.astype(np.float32)


def _windows(length: int) -> list[tuple[int, int]]:
    windows, start, size = [], 0, 4
    while start < length:
        windows.append((start, min(length, start + size)))
        start, size = start + size, size * 2
    return windows


def _table(
    left: dict[str, Any], right: dict[str, Any], siblings: list[dict[str, Any]], metric_names: dict[str, str]
) -> tuple[Epoch, ...]:
    names = {"loss": "loss", **metric_names}
    rows = []
    for number, (one, other) in enumerate(zip(left["epochs"], right["epochs"], strict=False)):
        shown = {name: one[name] for name in names if name in one}
        twin = {name: other[names[name]] for name in shown if names[name] in other}
        spread = {
            name: float(np.sqrt(np.mean([(s["epochs"][number][name] - value) ** 2 for s in siblings])))
            for name, value in shown.items()
        }
        rows.append(Epoch(number + 1, shown, twin, spread))
    return tuple(rows)
