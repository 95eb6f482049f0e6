"""Why metrics differ although outputs and loss do not: each side's is found among known ones by evaluations in several states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.metrics import metric_cause
from samestep.explain.references.metrics import BATCHES, SAMPLES, Metric, differences, metrics
from samestep.matching.free_run import paired_metrics
from samestep.matching.judging import Comparison
from samestep.matching.sides import State
from samestep.results import Cause
from samestep.worker.parent import Worker

Array = NDArray[Any]

STATES = 4
"""States in which both sides are evaluated, so that metrics that agree by chance do not agree in all."""
ROWS = 400
"""Rows of an evaluation, at most."""
PRECISION = 5e-6
"""How near a metric is known, relative to its size or to 1: it is held and summed up in float32."""


@dataclass(frozen=True)
class _Seen:
    """What one side's evaluations gave: by metric, a value for each state and plan; and the outputs of each state."""

    values: dict[str, Array]
    outputs: list[Array]
    targets: Array


def explain_metrics(case: Case, worst: Comparison) -> Explanation:
    """The settings in which the metrics of an evaluation differ."""
    plans = _plans(case)
    states = list(_states(case))
    left = _evaluated(case.sides.left, states, plans)
    right = _evaluated(case.sides.right, [case.sides.to_right(state) for state in states], plans)
    for worker, start in zip((case.sides.left, case.sides.right), case.starts, strict=True):
        worker.ask("state", values=start)
    pairs = paired_metrics(list(left.values), list(right.values))
    apart = [(one, other) for one, other in pairs.items() if not _near(left.values[one], right.values[other])]
    causes: dict[str, Cause] = {}
    for one, other in apart:
        for difference in _told(left, one, right, other, plans):
            causes.setdefault(difference[0], metric_cause(case, difference, (one, other)))
    if causes:
        return Explanation(tuple(causes.values()))
    names = ", ".join(f"{one} | {other}" for one, other in apart) or "metrics of a step"
    return Explanation(ruled_out=f"no known metric gives the values of {names}")


def _told(left: _Seen, one: str, right: _Seen, other: str, plans: list[tuple[int, int]]) -> list[tuple[str, Any, Any]]:
    """(setting, left, right) in which two metrics differ, from the values that they had."""
    pair = _nearest(_known(left, one, plans), _known(right, other, plans))
    if pair is not None and differences(*pair):
        return differences(*pair)
    ours, theirs = _averaging(left.values[one], plans), _averaging(right.values[other], plans)
    return [("averaging", ours, theirs)] if {ours, theirs} == {SAMPLES, BATCHES} else []


def _plans(case: Case) -> list[tuple[int, int]]:
    """(rows, batch size) of each evaluation: of one batch, of two, of these in one, and with a partial last batch."""
    size = case.batch_size
    total = len(_first(case.sides.left.ask("rows", start=0, stop=ROWS)["y"]))
    partial = 2 * size + max(1, size // 3)
    size = size if total >= partial else max(1, total // 3)
    partial = min(total, 2 * size + max(1, size // 3))
    return [(size, size), (2 * size, size), (2 * size, 2 * size), (partial, partial), (partial, size), (total, total)]


def _states(case: Case) -> list[State]:
    """The initial state of the left side, and others with the parameters moved about."""
    start = case.starts[0]

    def moved(array: Array) -> Array:
        spread = 2 * float(np.std(array)) or 0.5
        return np.asarray(array + spread * case.rng.normal(size=array.shape)).astype(array.dtype)

    others = [{name: moved(array) for name, array in start["parameters"].items()} for _ in range(STATES - 1)]
    return [start, *({**start, "parameters": parameters} for parameters in others)]


def _evaluated(worker: Worker, states: Sequence[State], plans: list[tuple[int, int]]) -> _Seen:
    rows = worker.ask("rows", start=0, stop=max(count for count, _ in plans))
    found: list[dict[str, float]] = []
    outputs = []
    for state in states:
        worker.ask("state", values=state)
        shown = worker.ask("forward", x=rows["x"], training=False, activations=False)["outputs"]
        outputs.append(np.asarray(next(iter(shown.values()))) if len(shown) == 1 else np.zeros(0))
        found += [worker.ask("evaluate", rows=count, batch_size=size) for count, size in plans]
    values = {name: np.array([np.mean(entry[name]) for entry in found], np.float64) for name in found[0]}
    return _Seen(values, outputs, _first(rows["y"]))


def _first(rows: Any) -> Array:
    return np.asarray(next(iter(rows.values())) if isinstance(rows, dict) else rows)


def _known(seen: _Seen, name: str, plans: list[tuple[int, int]]) -> list[Metric]:
    """The metrics that give these values in all states."""
    if any(not len(outputs) for outputs in seen.outputs):
        return []
    batches = [
        [(outputs[at : min(at + size, rows)], seen.targets[at : min(at + size, rows)]) for at in range(0, rows, size)]
        for outputs, (rows, size) in product(seen.outputs, plans)
    ]
    found = []
    for metric in metrics(seen.outputs[0], seen.targets):
        with np.errstate(all="ignore"):
            fits = all(
                _near(np.array(metric.value(some)), value)
                for some, value in zip(batches, seen.values[name], strict=True)
            )
        found += [metric] if fits else []
    return found


def _nearest(left: list[Metric], right: list[Metric]) -> tuple[Metric, Metric] | None:
    return min(product(left, right), key=lambda pair: len(differences(*pair)), default=None)


def _averaging(values: Array, plans: list[tuple[int, int]]) -> str:
    """Whether a metric of unknown form is the mean over rows, or over batches the last of which is smaller."""
    size, partial = plans[0][0], plans[4][0]
    rest = partial - 2 * size
    fits = {SAMPLES: True, BATCHES: rest not in (0, size)}
    for first, both, as_one, whole, in_parts, _ in values.reshape(-1, len(plans)):
        if not _near(both, as_one):
            return ""
        last = (partial * whole - 2 * size * as_one) / max(rest, 1)
        by_batches = (first + (2 * both - first) + last) / 3
        fits[SAMPLES] &= _near(in_parts, whole)
        fits[BATCHES] &= _near(in_parts, by_batches)
    names = [name for name, holds in fits.items() if holds]
    return names[0] if len(names) == 1 else ""


def _near(one: Array, other: Array) -> bool:
    return bool(np.all(np.abs(one - other) <= PRECISION * np.maximum(1.0, np.abs(other))))
