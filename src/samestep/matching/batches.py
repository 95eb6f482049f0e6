"""The data stage: do both programs' own pipelines give the same batches in the same order?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.judging import Comparison, Judged, judge, worst_element
from samestep.matching.sides import Sides

Array = NDArray[Any]
EPOCHS = 2
"""Epochs of batches that are compared: shuffling may begin with the second."""


def compare_batches(sides: Sides, batch_size: int) -> Judged:
    """Compare rows, order and content of the batches of the first epochs, by digest."""
    listed = sides.ask("batches", batch_size=batch_size, epochs=EPOCHS)
    left, right = (answer["batches"] for answer in listed)
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            comparison = _explain(sides, batch_size, number, left, right)
            if comparison.times_floor >= floor.ROUNDING:
                return judge("data", [comparison], comparison.name)
    if len(left) != len(right):
        return judge("data", [_count(left, right)])
    epochs = f"{len(left)} batches in {EPOCHS} epochs"
    worst = (
        [Comparison(epochs, 0, 0.0)]
        if left == right
        else [_explain(sides, batch_size, _first(left, right), left, right)]
    )
    return judge("data", worst)


def _first(left: list[Any], right: list[Any]) -> int:
    return next(i for i, (one, other) in enumerate(zip(left, right, strict=True)) if one != other)


def _count(left: list[Any], right: list[Any]) -> Comparison:
    return Comparison("number of batches", min(len(left), len(right)), float("inf"), len(left), len(right))


def _explain(sides: Sides, batch_size: int, number: int, left: list[Any], right: list[Any]) -> Comparison:
    """What sets two batches of the same number apart."""
    (epoch, rows, _, _), (other_epoch, other_rows, _, _) = left[number], right[number]
    if epoch != other_epoch:
        counts = [sum(entry[0] == 0 for entry in side) for side in (left, right)]
        return Comparison(_dropped(left, right, counts), number, float("inf"), *counts)
    if rows != other_rows:
        return Comparison(f"rows of batch {number}", number, float("inf"), rows, other_rows)
    kept = [answer["kept"] for answer in sides.ask("batches", batch_size=batch_size, epochs=EPOCHS, keep=number)]
    return _explain_rows(sides, number, kept[0], kept[1])


def _dropped(left: list[Any], right: list[Any], counts: list[int]) -> str:
    shorter, longer = ("right", left) if counts[0] > counts[1] else ("left", right)
    last = [entry for entry in longer if entry[0] == 0][-1]
    if abs(counts[0] - counts[1]) == 1 and last[1] != longer[0][1]:
        return f"the {shorter} side drops the last partial batch of {last[1]} rows"
    return "batches in an epoch"


def _explain_rows(sides: Sides, number: int, left: dict[str, Array], right: dict[str, Array]) -> Comparison:
    x_times = floor.times_floor(left["x"], [], right["x"])
    if x_times >= floor.ROUNDING:
        order = _order(sides, left["x"], right["x"])
        if order is not None:
            return Comparison(f"order of the rows from batch {number} on", number, float("inf"), *order)
        return Comparison(f"x of batch {number}", number, x_times, *worst_element("x", left["x"], "x", right["x"]))
    y_times = floor.times_floor(left["y"], [], right["y"])
    if y_times >= floor.ROUNDING:
        rows = (
            int(np.sum(np.any(left["y"] != right["y"], axis=1)))
            if left["y"].shape == right["y"].shape
            else len(left["y"])
        )
        name = f"labels of batch {number}, in {rows} of {len(left['y'])} rows"
        return Comparison(name, number, y_times, *worst_element("y", left["y"], "y", right["y"]))
    return Comparison(f"x of batch {number}", number, max(x_times, y_times))


def _order(sides: Sides, left: Array, right: Array) -> tuple[list[int], list[int]] | None:
    """The row numbers of both batches, if the right one is made of the left side's rows."""
    rows = sides.left.ask("rows", start=0, stop=None)["x"]
    if left.shape != right.shape:
        return None
    places = {np.asarray(row, left.dtype).tobytes(): i for i, row in enumerate(rows)}
    found = [[places.get(np.ascontiguousarray(row).tobytes(), -1) for row in side] for side in (left, right)]
    return None if -1 in found[0] or -1 in found[1] else (found[0][:8], found[1][:8])
