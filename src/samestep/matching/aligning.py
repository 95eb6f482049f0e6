"""Which parameter of the left program is which of the right one, and how its axes lie there."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """A left tensor and its right twin; axes: the left array transposed by them has the right one's layout."""

    left: str
    right: str
    axes: tuple[int, ...]
    left_dtype: str
    right_dtype: str

    def to_right(self, array: Array) -> Array:
        """A left array in the right layout and precision."""
        moved = np.transpose(array, self.axes)
        return (
            moved.astype(self.right_dtype)
            if moved.dtype.kind == "f" and self.right_dtype.startswith("float")
            else moved
        )

    def to_left(self, array: Array) -> Array:
        """A right array in the left layout, in its own precision."""
        return np.transpose(array, np.argsort(self.axes))


@dataclass(frozen=True)
class Alignment:
    """The pairs, and what is left over on either side."""

    pairs: tuple[Pair, ...]
    left_over: tuple[str, ...] = ()
    right_over: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every tensor has a twin."""
        return not self.left_over and not self.right_over


def align(left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> Alignment:
    """Pair tensors, each given as {"name", "shape", "dtype"}, in order, by shape up to a permutation of axes.

    Where the orders differ, the most that are in common order are paired first and the rest by shape
    and nearness of name.
    """
    rest_left, rest_right = list(left), list(right)
    pairs: list[Pair] = []
    for one, other in _in_common_order(rest_left, rest_right):
        pairs.append(_pair(one, other))
    rest_left = [entry for entry in rest_left if entry["name"] not in {p.left for p in pairs}]
    rest_right = [entry for entry in rest_right if entry["name"] not in {p.right for p in pairs}]
    for one in list(rest_left):
        candidates = [other for other in rest_right if _kind(other) == _kind(one)]
        if candidates:
            other = max(candidates, key=partial(_nearness, one))
            pairs.append(_pair(one, other))
            rest_left.remove(one)
            rest_right.remove(other)
    order = {entry["name"]: i for i, entry in enumerate(left)}
    return Alignment(
        tuple(sorted(pairs, key=lambda pair: order[pair.left])),
        tuple(_named(entry) for entry in rest_left),
        tuple(_named(entry) for entry in rest_right),
    )


def _kind(entry: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted(entry["shape"]))


def _named(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']} {tuple(entry['shape'])}"


def _in_common_order(
    left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The most pairs of one kind that cross no other; of as many, those whose names are nearest."""
    if [_kind(one) for one in left] == [_kind(other) for other in right]:
        return list(zip(left, right, strict=True))
    best: dict[tuple[int, int], tuple[int, float]] = {}  # (i, j): pairs and nearness of left[i:] and right[j:]
    for i, j in itertools.product(range(len(left), -1, -1), range(len(right), -1, -1)):
        best[i, j] = max((value for value, *_ in _ways(left, right, i, j, best)), default=(0, 0.0))
    pairs, i, j = [], 0, 0
    while best[i, j][0]:
        _, paired, i_next, j_next = max(_ways(left, right, i, j, best), key=lambda way: way[0])
        if paired:
            pairs.append((left[i], right[j]))
        i, j = i_next, j_next
    return pairs


def _ways(
    left: Sequence[Mapping[str, Any]],
    right: Sequence[Mapping[str, Any]],
    i: int,
    j: int,
    best: Mapping[tuple[int, int], tuple[int, float]],
) -> list[tuple[tuple[int, float], bool, int, int]]:
    """What can be done with left[i] and right[j], pair them or pass over one, and what it comes to: value, paired, i, j."""
    ways = [(best[k, m], False, k, m) for k, m in ((i + 1, j), (i, j + 1)) if k <= len(left) and m <= len(right)]
    if i < len(left) and j < len(right) and _kind(left[i]) == _kind(right[j]):
        count, nearness = best[i + 1, j + 1]
        ways.append(((count + 1, nearness + _nearness(left[i], right[j])), True, i + 1, j + 1))
    return ways


def _nearness(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return difflib.SequenceMatcher(None, one["name"], other["name"], autojunk=False).ratio()


def _pair(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pair:
    return Pair(one["name"], other["name"], _axes(one["shape"], other["shape"]), one["dtype"], other["dtype"])


def _axes(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """The permutation nearest to the identity that gives left's shape the order of right's."""
    for axes in itertools.permutations(range(len(left))):
        if [left[axis] for axis in axes] == list(right):
            return axes
    raise ValueError(f"{left} is no permutation of {right}")
