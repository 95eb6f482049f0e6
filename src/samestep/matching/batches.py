"""The data stage: do both programs' own pipelines give the same batches in the same order?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.frameworks import _rows
from samestep.matching import floor
from samestep.matching.judging import Comparison, Judged, judge, worst_element
from samestep.matching.sides import Sides, ask_both

Array = NDArray[Any]
EPOCHS = 2
"""Epochs of batches that are compared: shuffling may begin with the second."""


def compare_batches(sides: Sides, batch_size: int) -> Judged:
    """Compare rows, order and content of the batches of the first epochs, by digest."""
    asked = _Batches(sides, batch_size, _axes(sides))
    left, right = (answer["batches"] for answer in asked.ask())
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            comparison = _explain(asked, number, left, right)
            if comparison.times_floor >= floor.ROUNDING:
                return judge("data", [comparison], comparison.name)
    if len(left) != len(right):
        return judge("data", [_count(left, right)])
    epochs = f"{len(left)} batches in {EPOCHS} epochs"
    worst = [Comparison(epochs, 0, 0.0)] if left == right else [_explain(asked, _first(left, right), left, right)]
    return judge("data", worst)


@dataclass(frozen=True)
class _Batches:
    """How both sides are asked for their batches; axes: {name: order in which the right array's axes are seen}."""

    sides: Sides
    batch_size: int
    axes: dict[str, list[int]]

    def ask(self, keep: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both sides' batches, and the arrays of batch `keep`."""
        asked = {"batch_size": self.batch_size, "epochs": EPOCHS, "keep": keep}
        return ask_both(self.sides.left, self.sides.right, "batches", asked, {**asked, "axes": self.axes})


def _axes(sides: Sides) -> dict[str, list[int]]:
    """For arrays with their channels elsewhere on the right, the order of axes that gives the left ones.

    Arrays of equal shape are taken as they are: square images that one side transposes are not the same data.
    """
    left, right = (
        {**_rows.named("x", rows["x"]), **_rows.named("y", rows["y"])} for rows in sides.ask("rows", start=0, stop=8)
    )
    found = {}
    for name in left.keys() & right.keys():
        rest = list(range(1, right[name].ndim))
        for axes in ([0, *rest[1:], *rest[:1]], [0, *rest[-1:], *rest[:-1]]):
            if left[name].shape != right[name].shape and np.array_equal(right[name].transpose(axes), left[name]):
                found[name] = axes
    return found


def _first(left: list[Any], right: list[Any]) -> int:
    return next(i for i, (one, other) in enumerate(zip(left, right, strict=True)) if one != other)


def _count(left: list[Any], right: list[Any]) -> Comparison:
    return Comparison("number of batches", min(len(left), len(right)), float("inf"), len(left), len(right))


def _explain(asked: _Batches, number: int, left: list[Any], right: list[Any]) -> Comparison:
    """What sets two batches of the same number apart."""
    (epoch, rows, _), (other_epoch, other_rows, _) = left[number], right[number]
    if epoch != other_epoch:
        counts = [sum(entry[0] == 0 for entry in side) for side in (left, right)]
        return Comparison(_dropped(left, right, counts), number, float("inf"), *counts)
    if rows != other_rows:
        return Comparison(f"rows of batch {number}", number, float("inf"), rows, other_rows)
    kept = [answer["kept"] for answer in asked.ask(keep=number)]
    if kept[0].keys() != kept[1].keys():
        return Comparison("names of the arrays", number, float("inf"), *(", ".join(side) for side in kept))
    compared = [_explain_rows(asked.sides, number, name, kept[0][name], kept[1][name]) for name in kept[0]]
    return max(compared, key=lambda comparison: comparison.times_floor)


def _dropped(left: list[Any], right: list[Any], counts: list[int]) -> str:
    shorter, longer = ("right", left) if counts[0] > counts[1] else ("left", right)
    last = [entry for entry in longer if entry[0] == 0][-1]
    if abs(counts[0] - counts[1]) == 1 and last[1] != longer[0][1]:
        return f"the {shorter} side drops the last partial batch of {last[1]} rows"
    return "batches in an epoch"


def _explain_rows(sides: Sides, number: int, name: str, left: Array, right: Array) -> Comparison:
    times = floor.times_floor(left, [], right)
    worst = worst_element(name, left, name, right)
    if times >= floor.ROUNDING and name.startswith("x"):
        order = _order(sides, name, left, right)
        if order is not None:
            return Comparison(f"order of the rows from batch {number} on", number, float("inf"), *order)
    elif times >= floor.ROUNDING:
        rows = int(np.sum(np.any(left != right, axis=1))) if left.shape == right.shape else len(left)
        labels = name.replace("y", "labels", 1)
        return Comparison(f"{labels} of batch {number}, in {rows} of {len(left)} rows", number, times, *worst)
    return Comparison(f"{name} of batch {number}", number, times, *worst)


def _order(sides: Sides, name: str, left: Array, right: Array) -> tuple[list[int], list[int]] | None:
    """The row numbers of both batches, if the right one is made of the left side's rows."""
    rows = _rows.named("x", sides.left.ask("rows", start=0, stop=None)["x"])[name]
    if left.shape != right.shape:
        return None
    places = {np.asarray(row, left.dtype).tobytes(): i for i, row in enumerate(rows)}
    found = [[places.get(np.ascontiguousarray(row).tobytes(), -1) for row in side] for side in (left, right)]
    return None if -1 in found[0] or -1 in found[1] else (found[0][:8], found[1][:8])
