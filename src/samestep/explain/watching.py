"""What the layers of both programs make of the same inputs, at states and on rows that show what layers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case
from samestep.explain.fitting import Evidence
from samestep.explain.references.layers.examples import Example
from samestep.explain.tensors import Layers, layers_of, roles_of
from samestep.matching import floor, forward, twins
from samestep.matching.reaction import Observation, Reaction
from samestep.matching.sides import State
from samestep.worker.parent import Worker

Array = NDArray[Any]

SCALES = (0.5, None, 3.0, 0.1)
"""How large inputs and parameters are made: small ones show an epsilon, large ones a bound. None: as they are."""
ELEMENTS = 200_000
"""Elements of the input that are looked at, at most, as long as these are a few rows."""
DRAWS = 3
"""Siblings of each observation."""


@dataclass(frozen=True)
class Moment:
    """What both sides' layers show at one state on one batch, and the tensors of that state by layer."""

    left: Reaction
    right: Reaction
    layers: Layers

    def side(self, number: int) -> Reaction:
        """The left (0) or the right (1) one."""
        return self.right if number else self.left


@dataclass(frozen=True)
class Pair:
    """A left tensor and its right counterpart, and how that is seen as the left one."""

    left: str
    right: str
    view: twins.View

    def key(self, side: int) -> str:
        """The name on the left (0) or on the right (1)."""
        return self.right if side else self.left

    def seen(self, observation: Observation, side: int) -> Array:
        """The tensor of one side in the order of the left one."""
        return self.view(observation[self.right]) if side else observation[self.left]


@dataclass(frozen=True)
class Watched:
    """Moments in one mode, the first one with generic parameters."""

    moments: tuple[Moment, ...]
    training: bool

    @cached_property
    def culprit(self) -> tuple[Moment, Pair] | None:
        """The first pair of tensors that should be equal and is not, and where it was found."""
        for moment in self.moments:
            found = forward.culprit(moment.left, moment.right)
            if found is not None:
                return moment, pair_of(moment, found.left, found.right)
        return None

    def evidence(self, given: Pair, made: Pair, side: int, others: Sequence[Pair] = ()) -> Evidence | None:
        """A layer of one side with this input, others beside it and output; None where too little of it is finite."""
        examples, siblings = [], []
        for moment in self.moments:
            reaction = moment.side(side)
            x, y = given.seen(reaction.seen, side), made.seen(reaction.seen, side)
            beside = [other.seen(reaction.seen, side).astype(np.float64) for other in others]
            moved = [made.seen(sibling, side) for sibling in reaction.siblings]
            if all(np.isfinite(array).all() for array in (x, y, *beside, *moved)):
                examples.append(Example(x.astype(np.float64), y.astype(np.float64), moment.layers, beside))
                siblings.append([array.astype(np.float64).ravel() for array in moved])
        if len(examples) < 2 or len({one.y.shape for one in examples}) > 1:
            return None
        seen = np.array([one.y.ravel() for one in examples])
        return Evidence(tuple(examples), seen, [np.array(rows) for rows in zip(*siblings, strict=True)])


def pair_of(moment: Moment, left: str, right: str) -> Pair:
    """Two tensors of as many elements, seen alike where they are nearest, in an order that frameworks use if that is near too."""
    one, other = moment.left.seen[left], moment.right.seen[right]
    ways = twins.views(other.shape, one.shape)
    return Pair(
        left, right, min(ways, key=lambda view: _gap(one, view(other)) * (1 if _usual(view, other.shape) else 2))
    )


def _gap(one: Array, other: Array) -> float:
    return float(np.linalg.norm((one.astype(np.float64) - other).ravel()))


def unlike_pair(moment: Moment, agreed: Sequence[Pair], left: str, right: str) -> Pair | None:
    """Two tensors of unlike sizes over space, seen as the last pair of as many axes is; None if they differ in other sizes."""
    one, other = moment.left.seen[left], moment.right.seen[right]
    before = (
        pair for pair in agreed if moment.left.seen[pair.left].ndim == moment.right.seen[pair.right].ndim == one.ndim
    )
    last = next(before, None)
    order = _order(last.view, moment.right.seen[last.right].shape) if last else tuple(range(one.ndim))
    if order is None or not 2 < one.ndim == other.ndim or one.size == other.size:
        return None
    seen = other.transpose(order).shape
    channels = [axis for axis in (-1, 1) if one.shape[axis] == seen[axis]]
    return Pair(left, right, lambda array: array.transpose(order)) if channels and one.shape[0] == seen[0] else None


def _usual(view: twins.View, shape: Sequence[int]) -> bool:
    """Whether axes stay as they are, or channels go from first to last or back."""
    return _order(view, shape) is not None


def _order(view: twins.View, shape: Sequence[int]) -> tuple[int, ...] | None:
    """The order in which a view takes the axes, if they stay as they are or channels go from first to last or back."""
    axes = tuple(range(1, len(shape)))
    orders = ((0, *axes), (0, *axes[1:], *axes[:1]), (0, *axes[-1:], *axes[:-1]))
    places = np.arange(np.prod(shape)).reshape(shape)
    seen = view(places).ravel()
    return next((order for order in orders if np.array_equal(seen, places.transpose(order).ravel())), None)


def watch(case: Case, training: bool) -> Watched:
    """Look at all layers of both sides in one mode; the states are put back."""
    workers = (case.sides.left, case.sides.right)
    try:
        return Watched(tuple(_moment(case, scale, number, training) for number, scale in enumerate(SCALES)), training)
    finally:
        for worker, start in zip(workers, case.starts, strict=True):
            worker.ask("state", values=start)


def _moment(case: Case, scale: float | None, number: int, training: bool) -> Moment:
    sides = case.sides
    state = case.starts[0] if scale is None else spread(case, scale)
    sides.right.ask("state", values=sides.to_right(state))
    states = state, sides.right.ask("state")
    batches = [some_rows(batch["x"], number, scale or 1.0, batch["x"]) for batch in case.batches]
    looks = [_look(*each, training) for each in zip((sides.left, sides.right), states, batches, strict=True)]
    both = [Reaction(look, case.rng, most=DRAWS) for look in looks]
    for reaction in both:
        reaction.grow(DRAWS)
    return Moment(both[0], both[1], layers_of(sides, state))


def spread(case: Case, scale: float) -> State:
    """The left side's first state with every parameter moved at random and made larger or smaller; moments stay moments.

    Parameters that the right side lacks stay as they are.
    """
    start, rng = case.starts[0], case.rng
    left, right = (roles_of(side["buffers"]) for side in case.sides.described)
    roles = {**{name: right.get(twin, "") for name, twin in case.sides.buffers.right_names.items()}, **left}
    still = {tensor.name for tensor in case.sides.parameters.left_over}
    moved = {
        name: value if name in still else scale * (value + _noise(value, rng))
        for name, value in start["parameters"].items()
    }
    buffers = {name: _moment_like(value, roles.get(name, ""), scale, rng) for name, value in start["buffers"].items()}
    return {**start, "parameters": _alike(moved, start["parameters"]), "buffers": _alike(buffers, start["buffers"])}


def _noise(value: Array, rng: np.random.Generator) -> Array:
    size = float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))) if value.size else 0.0
    return np.asarray(0.2 * (size or 0.5) * rng.normal(size=value.shape))


def _moment_like(value: Array, role: str, scale: float, rng: np.random.Generator) -> Array:
    if role == "variance":
        return np.asarray(scale**2 * 10 ** rng.uniform(-3.0, 0.5, value.shape))
    return np.asarray(0.3 * scale * rng.normal(size=value.shape)) if role == "mean" else value


def _alike(arrays: Mapping[str, Array], like: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.asarray(array, like[name].dtype) for name, array in arrays.items()}


def some_rows(rows: Any, number: int, scale: float, x: Any) -> Any:
    """A few rows, others for each number, made larger or smaller unless they are whole numbers.

    x: the inputs, whose size decides how many rows there are.
    """
    if isinstance(rows, dict):
        return {name: some_rows(array, number, scale, x) for name, array in rows.items()}
    first = next(iter(x.values())) if isinstance(x, dict) else x
    count = min(len(first), max(4, min(8, ELEMENTS // max(first[:1].size, 1))))
    taken = rows[np.arange(number * count, (number + 1) * count) % len(rows)]
    whole = rows.dtype.kind != "f" or bool(np.all(rows == np.round(rows)))
    return taken if whole else (taken * scale).astype(rows.dtype)


def _look(worker: Worker, state: State, x: Any, training: bool) -> Any:
    """Looks at the inputs and at what every layer gives."""

    def look(rng: np.random.Generator | None) -> Observation:
        here, given = (state, x) if rng is None else (floor.moved_tree(state, rng), _moved(x, rng))
        worker.ask("state", values=here)
        seen = {f"x|{name}": np.asarray(array) for name, array in _named(given)}
        activations = worker.ask("forward", x=given, training=training)["activations"]
        return {**seen, **{f"activations|{name}": np.asarray(array) for name, array in activations.items()}}

    return look


def _moved(x: Any, rng: np.random.Generator) -> Any:
    return {name: floor.moved(array, rng) for name, array in x.items()} if isinstance(x, dict) else floor.moved(x, rng)


def _named(x: Any) -> list[tuple[str, Array]]:
    return list(x.items()) if isinstance(x, dict) else [("x", x)]
