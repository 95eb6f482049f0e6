"""Which activation of one side is which of the other: tensors are twins by value, up to the order of their axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
View = Callable[[Array], Array]
"""Gives a right tensor the shape and the order of axes of its left twin."""

AGREES = 1e-3
"""Activations this near, relative to their norm, agree: far above rounding, far below a pair that is wrong."""
NEAR = 1e-2
"""Norms this far apart, relative to the larger, are of tensors that are no twins; it saves looking closer."""


@dataclass(frozen=True)
class Twin:
    """A left tensor, its right twin, and how the right one is seen as the left one; times: how far apart they are."""

    left: str
    right: str
    view: View
    times: float


def find(
    left: Mapping[str, Array],
    right: Mapping[str, Array],
    apart: Callable[[str, Array], float],
    limit: float,
) -> list[Twin]:
    """For each right tensor the nearest left one that is no farther apart than limit, each side's tensors in order.

    apart: the distance of an array from the left tensor of this name.
    """
    sizes: dict[int, list[str]] = {}
    norms = {name: _norm(array) for name, array in left.items()}
    for name, array in left.items():
        sizes.setdefault(array.size, []).append(name)
    found = []
    for name, array in right.items():
        norm = _norm(array)
        near = [n for n in sizes.get(array.size, ()) if abs(norms[n] - norm) <= NEAR * max(norms[n], norm)]
        ways = [(one, view) for one in near for view in views(array.shape, left[one].shape)]
        best = min(((apart(one, view(array)), i) for i, (one, view) in enumerate(ways)), default=None)
        if best is not None and best[0] < limit:
            found.append(Twin(ways[best[1]][0], name, ways[best[1]][1], best[0]))
    return found


def agreement(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[bool, int]:
    """Of two forward passes, whether the outputs agree; and where they do not, how many right activations have a twin."""
    outputs = zip(left["outputs"].values(), right["outputs"].values(), strict=False)
    if all(same_up_to_axes(*pair, AGREES) for pair in outputs):
        return True, 0
    seen = left["activations"]
    return False, len(find(seen, right["activations"], lambda name, array: _apart(seen[name], array), AGREES))


def _apart(one: Array, other: Array) -> float:
    size, gap = float(np.linalg.norm(one)), float(np.linalg.norm(one.astype(np.float64) - other))
    return gap / size if size > 0 else gap


def views(shape: Sequence[int], wanted: Sequence[int]) -> list[View]:
    """The ways to see a tensor of this shape as one of the wanted shape, rows first: as it is, transposed, axes merged."""
    if math.prod(shape) != math.prod(wanted):
        return []
    if tuple(shape) == tuple(wanted) and len(shape) < 3:
        return [lambda array: array]
    if len(shape) < len(wanted):
        return [_inverse(view, wanted) for view in _flattenings(wanted, shape)]
    return _flattenings(shape, wanted)


def _inverse(view: View, wanted: Sequence[int]) -> View:
    places = view(np.arange(math.prod(wanted)).reshape(wanted)).ravel()

    def back(array: Array) -> Array:
        seen = np.empty(array.size, array.dtype)
        seen[places] = array.ravel()
        return seen.reshape(wanted)

    return back


def _flattenings(shape: Sequence[int], wanted: Sequence[int]) -> list[View]:
    """The ways from a tensor of this shape to one of as many axes, or of fewer by merging some."""
    ways: list[View] = []
    orders = itertools.permutations(range(len(shape))) if len(shape) <= 5 else iter([tuple(range(len(shape)))])
    squeezed = [size for size in wanted if size > 1]
    merged = len([size for size in shape if size > 1]) != len(squeezed)
    for axes in orders:
        moved = [shape[axis] for axis in axes]
        if [size for size in moved if size > 1] == squeezed or (merged and _same_rows(shape, axes)):
            ways.append(partial(_seen, axes=axes, shape=tuple(wanted)))
    return ways


def _seen(array: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    return array.transpose(axes).reshape(shape)


def same_up_to_axes(one: Array, other: Array, tolerance: float) -> bool:
    """Whether two tensors are equal, in some order of axes if their shapes differ, to a tolerance relative to their norm."""
    norm = _norm(one)
    if one.shape == other.shape:
        return _gap(one, other) <= tolerance * norm
    if one.size != other.size or abs(norm - _norm(other)) > tolerance * norm:
        return False
    return any(_gap(one, view(other)) <= tolerance * norm for view in views(other.shape, one.shape))


def _same_rows(shape: Sequence[int], axes: Sequence[int]) -> bool:
    """Whether an order of axes that are merged afterwards is one that frameworks flatten in: channels first or last."""
    rest = tuple(range(1, len(shape)))
    return tuple(axes) in {(0, *rest), (0, *rest[1:], *rest[:1]), (0, *rest[-1:], *rest[:-1])}


def _norm(array: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        norm = float(np.linalg.norm(array.astype(np.float64).ravel()))
    return norm if np.isfinite(norm) else -1.0


def _gap(one: Array, other: Array) -> float:
    gap = float(np.linalg.norm((one.astype(np.float64) - other).ravel()))
    return gap if np.isfinite(gap) else float("inf")
