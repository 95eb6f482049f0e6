"""Which parameter of the left program is which of the right one, and how its axes lie there."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    Where the orders differ, the longest run of shapes in common order is paired first and the rest by
    shape and nearness of name.
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
            other = max(candidates, key=lambda c: difflib.SequenceMatcher(None, one["name"], c["name"]).ratio())
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
    matcher = difflib.SequenceMatcher(None, [_kind(e) for e in left], [_kind(e) for e in right], autojunk=False)
    return [(left[i + k], right[j + k]) for i, j, size in matcher.get_matching_blocks() for k in range(size)]


def _pair(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pair:
    return Pair(one["name"], other["name"], _axes(one["shape"], other["shape"]), one["dtype"], other["dtype"])


def _axes(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """The permutation nearest to the identity that gives left's shape the order of right's."""
    for axes in itertools.permutations(range(len(left))):
        if [left[axis] for axis in axes] == list(right):
            return axes
    raise ValueError(f"{left} is no permutation of {right}")
