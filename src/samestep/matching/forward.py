"""The forward pass, layer by layer: a tensor's twin is the one on the other side that equals it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from samestep.matching import floor
from samestep.matching.judging import Comparison, worst_element
from samestep.matching.reaction import Reaction, distance

Array = NDArray[Any]

LINKS: dict[str, Callable[[Array], Array]] = {
    "softmax": lambda z: softmax(z, axis=-1),
    "sigmoid": expit,
    "log_softmax": lambda z: log_softmax(z, axis=-1),
}
"""A program may return logits where its twin returns probabilities: the same network, if the loss agrees."""


@dataclass(frozen=True)
class _Twin:
    left: str
    right: str


def compare_forward(left: Reaction, right: Reaction, mode: str, step: int) -> list[Comparison]:
    """Compare the outputs in one mode; where they differ, name the first layer that has no twin.

    The side with fewer tensors is walked along, since the other may only be made of smaller parts.
    """
    outputs = _compare_outputs(left, right, mode, step)
    if all(c.times_floor < floor.ROUNDING for c in outputs):
        return outputs
    twins = _twins(left, right, f"activations {mode}|")
    culprit = _first_without_twin(left, right, f"activations {mode}|", twins, step)
    return [culprit] if culprit is not None else outputs


def _compare_outputs(left: Reaction, right: Reaction, mode: str, step: int) -> list[Comparison]:
    kind = f"outputs {mode}|"
    keys = [_keys(side, kind) for side in (left, right)]
    if len(keys[0]) != len(keys[1]):
        counts = [len(k) for k in keys]
        return [Comparison("number of outputs", step, float("inf"), *counts)]
    return [_compare_output(left, right, one, other, step) for one, other in zip(*keys, strict=True)]


def _compare_output(left: Reaction, right: Reaction, one: str, other: str, step: int) -> Comparison:
    """Compare as they are, or with one side's put through a link function, whichever is nearest."""
    left.grow(floor.DRAWS)
    nearest = (_quick(left, one, right.seen[other]), left, right, "")
    for name, link in LINKS.items() if left.seen[one].ndim else ():
        for side in ("left", "right"):
            linked = (_linked(left, one, link), right) if side == "left" else (left, _linked(right, other, link))
            times = _quick(linked[0], one, linked[1].seen[other])
            if nearest[0] >= floor.ROUNDING and times < nearest[0]:
                nearest = (times, *linked, f"{name} of the {side} side's ")
    _, near_left, near_right, through = nearest
    times = distance(near_left, one, near_right, other)
    return Comparison(through + _name(one), step, times, *_worst(near_left, one, near_right, other))


def _linked(side: Reaction, key: str, link: Callable[[Array], Array]) -> Reaction:
    """The reaction with one tensor of it put through a function."""

    def through(seen: dict[str, Array]) -> dict[str, Array]:
        mapped = link(seen[key].astype(np.float64)).astype(seen[key].dtype)
        return {key: mapped}

    linked = Reaction(lambda rng: through(side.seen if rng is None else side.look(rng)), side.rng)
    linked.siblings = [through(sibling) for sibling in side.siblings]
    return linked


def _twins(left: Reaction, right: Reaction, kind: str) -> list[_Twin]:
    """Pairs of tensors that are equal up to rounding, each with the nearest of the other side."""
    twins = []
    for other in _keys(right, kind):
        candidates = [one for one in _keys(left, kind) if left.seen[one].shape == right.seen[other].shape]
        best = min(((_quick(left, one, right.seen[other]), one) for one in candidates), default=None)
        if best is not None and best[0] < floor.ROUNDING:
            twins.append(_Twin(best[1], other))
    return twins


def _quick(left: Reaction, key: str, other: Array) -> float:
    return floor.times_floor(left.seen[key], [sibling[key] for sibling in left.siblings], other)


def _first_without_twin(left: Reaction, right: Reaction, kind: str, twins: list[_Twin], step: int) -> Comparison | None:
    lefts, rights = _keys(left, kind), _keys(right, kind)
    last_left = max((lefts.index(t.left) for t in twins), default=-1)
    last_right = max((rights.index(t.right) for t in twins), default=-1)
    later = [(one, other) for one in lefts[last_left + 1 :] for other in rights[last_right + 1 :]]
    later = [pair for pair in later if left.seen[pair[0]].shape == right.seen[pair[1]].shape]
    if not later:
        return None
    coarser, place = (lefts, 0) if len(lefts) <= len(rights) else (rights, 1)
    first = min((pair[place] for pair in later), key=coarser.index)
    times, one, other = min((_quick(left, a, right.seen[b]), a, b) for a, b in later if (a, b)[place] == first)
    if times < floor.ROUNDING:
        return None
    times = distance(left, one, right, other)
    return Comparison(_name(first), step, times, *_worst(left, one, right, other))


def _keys(side: Reaction, kind: str) -> list[str]:
    return [key for key in side.seen if key.startswith(kind)]


def _name(key: str) -> str:
    return key.split("|", 1)[1]


def _worst(left: Reaction, one: str, right: Reaction, other: str) -> tuple[Any, Any]:
    return worst_element(_name(one), left.seen[one], _name(other), right.seen[other])
