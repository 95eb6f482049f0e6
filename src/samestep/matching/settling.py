"""Settle by the numbers what order, shape, layout and name leave open about which tensor is which.

Both programs look at the same rows in inference mode, at a state in which every tensor is generic, so that no two of
them can be taken for each other. The proposed alignment is kept where the outputs agree; else its doubtful pairs
are tried one after another in the other ways that known layouts allow, and what lets more activations agree is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import twins
from samestep.matching.aligning import Alignment, Match, arrangements, grouped
from samestep.matching.sides import Sides, State

Array = NDArray[Any]
Rows = Any

SPREAD = 0.3
"""How far tensors are moved to make them generic, relative to their own spread."""
GATES = (3, 4)
"""Numbers of gates in a recurrent cell whose order may differ: GRU, LSTM."""
MOST_TRIALS = 600
"""Forward passes spent at most."""


def settle(sides: Sides, x: tuple[Rows, Rows], rng: np.random.Generator) -> Sides:
    """The sides with parameters and buffers aligned so that the programs compute the same, where a known layout does it.

    x: rows for either side. Both programs keep their state.
    """
    starts = sides.ask("state")
    try:
        return _Trial(sides, starts[0], x, rng).settled()
    finally:
        for worker, start in zip((sides.left, sides.right), starts, strict=True):
            worker.ask("state", values=start)


class _Trial:
    """What the left program computes at a generic state, and how near the right one comes under an alignment."""

    def __init__(self, sides: Sides, start: State, x: tuple[Rows, Rows], rng: np.random.Generator) -> None:
        self.sides, self.x = sides, x
        self.state = {group: _generic(start[group], rng) for group in ("parameters", "buffers")}
        sides.left.ask("state", values=self.state)
        self.left = sides.left.ask("forward", x=x[0], training=False)
        self.shapes = {array.shape[1:] for array in self.left["activations"].values()}
        self.trials = 0

    def settled(self) -> Sides:
        """The sides with the best alignment found; two rounds, since one pair can hide whether another is right."""
        best, score = self.sides, self._score(self.sides)
        for group in ("parameters", "buffers") * 2:
            for number in range(len(getattr(best, group).matches)):
                best, score = self._better(best, score, group, number)
        return best

    def _better(self, best: Sides, score: tuple[bool, int], group: str, number: int) -> tuple[Sides, tuple[bool, int]]:
        """The best of the ways in which one pair can be made, the present one if none is better."""
        if score[0]:
            return best, score
        start: Alignment = getattr(best, group)
        for matches in _ways(start.matches, number, self.shapes):
            if self.trials >= MOST_TRIALS:
                break
            tried = _with(best, group, _regrouped(start, matches))
            reached = self._score(tried)
            if reached > score:
                best, score = tried, reached
        return best, score

    def _score(self, sides: Sides) -> tuple[bool, int]:
        """How far the right program agrees with the left one under this alignment."""
        self.trials += 1
        moved = {
            "parameters": sides.parameters.to_right(self.state["parameters"]),
            "buffers": sides.buffers.to_right(self.state["buffers"]),
        }
        sides.right.ask("state", values=moved)
        right = sides.right.ask("forward", x=self.x[1], training=False)
        return twins.agreement(self.left, right)


def _with(sides: Sides, group: str, alignment: Alignment) -> Sides:
    return replace(sides, parameters=alignment) if group == "parameters" else replace(sides, buffers=alignment)


def _ways(matches: Sequence[Match], number: int, shapes: set[tuple[int, ...]]) -> Iterator[list[Match]]:
    """Other ways to make pair `number`: in another order, with the gates of its cell reordered, or with a later pair's twin."""
    this = matches[number]
    for order in _orders(this, this, shapes):
        if not np.array_equal(order, this.order):
            yield [*matches[:number], Match(this.left, this.right, order), *matches[number + 1 :]]
    yield from _with_gates_reordered(matches, number)
    for other in range(number + 1, len(matches)):
        that = matches[other]
        if (that.left.key, that.right.key) == (this.left.key, this.right.key):
            for order in _orders(this, that, shapes):
                changed = list(matches)
                changed[number], changed[other] = Match(this.left, that.right, order), replace(that, right=this.right)
                yield changed


def _orders(this: Match, that: Match, shapes: set[tuple[int, ...]]) -> Iterator[Array]:
    """The orders of elements, of the left piece of one pair, that may fit the right piece of another."""
    numbers = np.arange(this.left.places.size)
    declared = this.left.declared and that.right.declared
    lay = arrangements(this.left.shape, this.left.shape if declared else that.right.shape)
    lay = lay[:1] if declared else lay
    within = [numbers, *_flattened(this.left.shape, shapes)]
    seen = set()
    for inner, outer in itertools.product(within, lay):
        order = outer(inner)
        if order.tobytes() not in seen:
            seen.add(order.tobytes())
            yield order


def _flattened(shape: tuple[int, ...], shapes: set[tuple[int, ...]]) -> Iterator[Array]:
    """Orders of an axis that came from flattening an activation: channels last where they were first, and the reverse."""
    for axis, size in enumerate(shape):
        for seen in sorted(shapes):
            if len(seen) > 1 and math.prod(seen) == size:
                grid, rest = np.arange(size).reshape(seen), list(range(len(seen) - 1))
                for moved in (grid.transpose([len(seen) - 1, *rest]), grid.transpose([*(r + 1 for r in rest), 0])):
                    yield np.take(np.arange(math.prod(shape)).reshape(shape), moved.ravel(), axis).ravel()


def _with_gates_reordered(matches: Sequence[Match], number: int) -> Iterator[list[Match]]:
    """The gates of a recurrent cell in other orders, in all its tensors at once; pair `number` is its recurrent kernel."""
    for gates in GATES:
        units = min(matches[number].left.shape, default=0)
        if sorted(matches[number].left.shape) != sorted((units, gates * units)) or matches[number].left.declared:
            continue
        cell = _cell(matches, number, gates * units)
        for order in list(itertools.permutations(range(gates)))[1:]:
            yield [
                replace(m, order=_reordered(m.left.shape, order)[m.order]) if i in cell else m
                for i, m in enumerate(matches)
            ]


def _cell(matches: Sequence[Match], number: int, width: int) -> set[int]:
    """The pairs around a recurrent kernel that have an axis of all its gates: kernel, biases."""
    cell = {number}
    for step in (-1, 1):
        at = number + step
        while 0 <= at < len(matches) and width in matches[at].left.shape:
            cell.add(at)
            at += step
    return cell


def _reordered(shape: tuple[int, ...], order: Sequence[int]) -> Array:
    """Flat places with the blocks of the longest axis in this order."""
    axis = int(np.argmax(shape))
    parts = np.split(np.arange(math.prod(shape)).reshape(shape), len(order), axis)
    return np.concatenate([parts[gate] for gate in order], axis).ravel()


def _regrouped(alignment: Alignment, matches: Sequence[Match]) -> Alignment:
    lefts = [tensor for group in alignment.groups for tensor in group.left]
    rights = [tensor for group in alignment.groups for tensor in group.right]
    made = grouped(matches, [*lefts, *alignment.left_over], [*rights, *alignment.right_over])
    return replace(made, still=alignment.still)


def _generic(arrays: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Each float tensor moved at random by some of its spread, by itself; what is positive stays so, as a variance must."""
    return {name: _moved(array, rng) for name, array in arrays.items()}


def _moved(array: Array, rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return array
    noise = rng.standard_normal(array.shape)
    if array.size and array.min() > 0:
        return (array * np.exp(SPREAD * noise)).astype(array.dtype)
    return (array + SPREAD * (float(array.std()) or SPREAD) * noise).astype(array.dtype)
