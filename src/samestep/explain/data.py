"""Why the batches differ: their size, the rows they hold, or what is in a row."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.data import data_cause
from samestep.matching import floor
from samestep.matching.judging import Comparison
from samestep.matching.sides import ask_both
from samestep.results import Cause

Array = NDArray[Any]
Told = list[tuple[str, Any, Any]]

EPOCHS = 2
"""Epochs that are looked at: shuffling may begin with the second."""
NONE: Told = []
MOST_AXES = 5
"""Axes of an array whose orders are tried."""
FEWEST = 4
"""Elements that have to agree on a factor and an offset, at least."""
MOST_LABELS = 100
"""Labels that may have been given other numbers."""


def explain_data(case: Case, worst: Comparison) -> Explanation:
    """The settings in which two pipelines differ."""
    listed = [answer["batches"] for answer in _asked(case, None)]
    told = _by_size(listed[0], listed[1]) or _by_content(case, listed[0], listed[1])
    if not told:
        return Explanation(ruled_out="neither order, size, scale nor layout makes the batches of one side the other's")
    causes: list[Cause] = [data_cause(case, *difference) for difference in told]
    return Explanation(tuple(causes))


def _asked(case: Case, keep: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    arguments = {"batch_size": case.batch_size, "epochs": EPOCHS, "keep": keep}
    return ask_both(case.sides.left, case.sides.right, "batches", arguments, arguments)


def _by_size(left: list[Any], right: list[Any]) -> Told:
    """Batches of other sizes, or without the last one."""
    sizes = [[rows for epoch, rows, _ in side if epoch == 0] for side in (left, right)]
    if sizes[0] == sizes[1] or not all(sizes):
        return NONE
    if sizes[0][0] != sizes[1][0]:
        return [("batch_size", sizes[0][0], sizes[1][0])]
    shorter = 0 if len(sizes[0]) < len(sizes[1]) else 1
    longer = sizes[1 - shorter]
    if longer[:-1] == sizes[shorter] and longer[-1] < longer[0]:
        return [("drop_last", shorter == 0, shorter == 1)]
    return [("rows", sum(sizes[0]), sum(sizes[1]))]


def _by_content(case: Case, left: list[Any], right: list[Any]) -> Told:
    """What sets the first batches apart that are not the same."""
    number = next((i for i, (one, other) in enumerate(zip(left, right, strict=False)) if one[2] != other[2]), None)
    if number is None:
        return NONE
    kept = [answer["kept"] for answer in _asked(case, number)]
    if kept[0].keys() != kept[1].keys():
        return NONE
    order = _order(case, left, right, number, kept)
    if order:
        return order
    found = [_told_apart(name, kept[0][name], kept[1][name]) for name in kept[0]]
    if any(told is None for told in found):
        return NONE
    return [difference for told in found for difference in told or ()]


def _order(case: Case, left: list[Any], right: list[Any], number: int, kept: list[dict[str, Array]]) -> Told:
    """Whether both batches are made of the same rows of the data, in another order."""
    places = [_places(case, arrays) for arrays in kept]
    if places[0] == places[1] or -1 in places[0] + places[1]:
        return NONE
    before = sum(rows for epoch, rows, _ in left[:number] if epoch == left[number][0])
    straight = [place == list(range(before, before + len(place))) for place in places]
    if straight[0] != straight[1]:
        return [("shuffle", not straight[0], not straight[1])]
    return [("order", places[0][:8], places[1][:8])]


def _places(case: Case, arrays: dict[str, Array]) -> list[int]:
    """Which row of the left side's data each row of the batch is; -1 if it is none of them."""
    rows = case.sides.left.ask("rows", start=0, stop=None)["x"]
    known = {f"x_{name}": array for name, array in rows.items()} if isinstance(rows, dict) else {"x": rows}
    name, values = next(iter(known.items()))
    batch = arrays.get(name, np.zeros((1, 0)))
    places = {np.asarray(row, batch.dtype).tobytes(): number for number, row in enumerate(values)}
    return [places.get(np.ascontiguousarray(row).tobytes(), -1) for row in batch]


def _told_apart(name: str, left: Array, right: Array) -> Told | None:
    """(setting, left, right) that makes one array the other; empty where they are the same, None where none is known."""
    if _same(left, right):
        return []
    found = (_of_labels if name.startswith("y") else _of_inputs)(left, right)
    return found or None


def _of_labels(left: Array, right: Array) -> Told:
    if left.shape != right.shape:
        return [("label_shape", str(left.shape[1:]), str(right.shape[1:]))]
    shift = np.unique(np.asarray(right, float) - np.asarray(left, float))
    if len(shift) == 1:
        return [("label_offset", 0, int(shift[0]) if float(shift[0]).is_integer() else float(shift[0]))]
    whole = all(np.array_equal(np.floor(side), side) for side in (left, right))
    pairs = {(one, other) for one, other in zip(left.ravel().tolist(), right.ravel().tolist(), strict=True)}
    if whole and len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}) <= MOST_LABELS:
        moved = sorted((one, other) for one, other in pairs if one != other)
        return [("labels", [one for one, _ in moved], [other for _, other in moved])]
    return _of_scale(left, right)


def _of_inputs(left: Array, right: Array) -> Told:
    return _of_layout(left, right) or _of_padding(left, right) or _of_scale(left, right)


def _of_layout(left: Array, right: Array) -> Told:
    """Axes in another order, or the other way round."""
    for axes in permutations(range(1, left.ndim)) if left.ndim == right.ndim <= MOST_AXES else ():
        if _same(left.transpose(0, *axes), right) and list(axes) != sorted(axes):
            return [("axes", list(range(left.ndim)), [0, *axes])]
    for axis in range(1, left.ndim):
        if left.shape == right.shape and _same(np.flip(left, axis), right):
            channels = left.ndim == 4 and left.shape[axis] == 3
            return [("channel_order", "rgb", "bgr") if channels else ("flipped axis", None, axis)]
    return [("row_shape", list(left.shape[1:]), list(right.shape[1:]))] if _same(left.ravel(), right.ravel()) else NONE


def _of_padding(left: Array, right: Array) -> Told:
    """Zeros behind what is in a row, or in front of it."""
    if left.ndim != 2 or left.shape != right.shape:
        return NONE
    rows = list(zip(left, right, strict=True))
    if not all(np.array_equal(one[one != 0], other[other != 0]) for one, other in rows):
        return NONE
    one, other = (_padded(side) for side in (left, right))
    return [("padding", one, other)] if one and other and one != other else NONE


def _padded(rows: Array) -> str:
    """Where the zeros of all rows are."""
    counts = np.count_nonzero(rows, axis=1)
    if all(np.all(row[:count]) for row, count in zip(rows, counts, strict=True)):
        return "post"
    return "pre" if all(np.all(row[row.size - count :]) for row, count in zip(rows, counts, strict=True)) else ""


def _of_scale(left: Array, right: Array) -> Told:
    """One is the other times a factor plus an offset: for all elements, for each of the last axis, or for each row."""
    if left.shape != right.shape or left.ndim < 2:
        return NONE
    one, other = left.astype(np.float64), right.astype(np.float64)
    for per, axes in _groups(left.ndim):
        factor, offset = _line(one, other, axes)
        if one.size < FEWEST * factor.size or not _same(right, one * factor + offset):
            continue
        return _scaled(factor.item(), offset.item(), other) if per == "all" else [("normalization", None, f"per {per}")]
    return NONE


def _groups(axes: int) -> list[tuple[str, tuple[int, ...]]]:
    """What shares one factor and offset, and the axes that this goes over."""
    every = tuple(range(axes))
    return [("all", every), ("feature", every[:-1]), ("row", every[1:])]


def _scaled(factor: float, offset: float, other: Array) -> Told:
    told: Told = []
    if not np.isclose(factor, 1, rtol=1e-6):
        told.append(("scale", 1.0, float(f"{factor:.6g}")))
    if abs(offset) > 1e-6 * np.std(other):
        told.append(("offset", 0.0, float(f"{offset:.6g}")))
    return told


def _line(one: Array, other: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """The factor and offset that bring one nearest to the other, for each place along the axes that are not summed over."""
    means = one.mean(axes, keepdims=True), other.mean(axes, keepdims=True)
    spread = ((one - means[0]) ** 2).sum(axes, keepdims=True)
    shared = ((one - means[0]) * (other - means[1])).sum(axes, keepdims=True)
    factor = np.divide(shared, spread, out=np.ones_like(shared), where=spread > 0)
    return factor, means[1] - factor * means[0]


def _same(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    return (
        floor.times_floor(np.asarray(one, np.float64), [], np.asarray(other, np.float64), np.float32) < floor.ROUNDING
    )
