"""The forward pass, layer by layer: a tensor's twin is the one on the other side that equals it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from samestep.matching import floor, twins
from samestep.matching.judging import Comparison, worst_element
from samestep.matching.reaction import Observation, Reaction, distance
from samestep.results import SAME

Array = NDArray[Any]

LINKS: dict[str, Callable[[Array], Array]] = {
    "softmax": lambda z: softmax(z, axis=-1),
    "sigmoid": expit,
    "log_softmax": lambda z: log_softmax(z, axis=-1),
}
"""A program may return logits where its twin returns probabilities: the same network, if the loss agrees."""


def compare_forward(
    left: Reaction, right: Reaction, layers: Callable[[], tuple[Reaction, Reaction]], mode: str, step: int
) -> list[Comparison]:
    """Compare the outputs in one mode; where they differ, name the first layer that has no twin.

    layers: how both sides' layers react, looked at only then.
    """
    outputs = _compare_outputs(left, right, mode, step)
    if all(c.verdict in SAME for c in outputs):
        return outputs
    sides = layers()
    exact = _in_double(*sides)
    found = culprit(*(exact or sides))
    if found is None:
        return outputs
    compared = _compare_twins(*(exact or sides), found, step)
    return [replace(compared, in_double=exact is not None and compared.times_floor >= floor.ROUNDING)]


def _in_double(left: Reaction, right: Reaction) -> tuple[Reaction, Reaction] | None:
    """Both sides in float64, where rounding does not hide which layer differs; None where one of them cannot."""
    left.grow(floor.DRAWS)
    return (left.double, right.double) if left.double and right.double else None


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
    view = _view(near_left, one, near_right, other)
    return _compared(through + _name(one), (near_left, one), (near_right, other), view, step)


def _linked(side: Reaction, key: str, link: Callable[[Array], Array]) -> Reaction:
    """The reaction with one tensor of it put through a function."""

    def through(seen: Observation) -> Observation:
        mapped = link(seen[key].astype(np.float64)).astype(seen[key].dtype)
        return {key: mapped}

    def in_double() -> Observation | None:
        return through(side.double.seen) if side.double else None

    linked = Reaction(lambda rng: through(side.seen if rng is None else side.look(rng)), side.rng, in_double)
    linked.siblings = [through(sibling) for sibling in side.siblings]
    return linked


def _view(left: Reaction, one: str, right: Reaction, other: str) -> twins.View:
    """How the right output is seen as the left one: as it is, or in the order of axes that brings it nearest."""
    shapes = right.seen[other].shape, left.seen[one].shape
    if shapes[0] == shapes[1]:
        return np.asarray
    views = twins.views(*shapes)
    return min(views, key=lambda view: _quick(left, one, view(right.seen[other])), default=np.asarray)


def _quick(left: Reaction, key: str, other: Array) -> float:
    return floor.times_floor(left.seen[key], [sibling[key] for sibling in left.siblings], other)


@dataclass(frozen=True)
class Culprit:
    """A left tensor and the right one that should be its twin; name: the layer's, on the side that is walked along."""

    left: str
    right: str
    name: str


def culprit(left: Reaction, right: Reaction) -> Culprit | None:
    """The first layer that differs: the first tensor without a twin where the other side has one without a twin too.

    Only what lies between the same twins on both sides is compared. Where nothing there can be its twin, the other side may
    lack the layer and go on with what the layer was given: it is compared with that, if that is of the same size and nothing
    after it agrees.
    """
    left.grow(floor.DRAWS)
    keys = list(left.seen), list(right.seen)
    found = twins.find(left.seen, right.seen, lambda key, array: _quick(left, key, array), floor.ROUNDING)
    side = _walked(*keys, found)
    walked, facing = keys[side], keys[1 - side]
    links = {(t.left, t.right)[side]: (t.left, t.right)[1 - side] for t in reversed(found)}  # of equal ones the first

    def nearest(key: str, others: list[str]) -> list[tuple[str, str]]:
        return _nearest(left, right, [(key, o) if side == 0 else (o, key) for o in others])

    for place, key in enumerate(walked):
        if key in links or any(_contains(container, key) for container in links):
            continue
        agreed = any(later in links for later in walked[place:])
        given = [] if agreed else _given(walked[:place], links)
        for pair in nearest(key, _between(walked, facing, links, key)) or nearest(key, given):
            return Culprit(*pair, name=key)
    return None


def _walked(left: list[str], right: list[str], found: Sequence[twins.Twin]) -> int:
    """The side whose layers are gone through: that of fewer tensors, as the other may only be made of smaller parts.

    Unless the other one has all the same layers, its twins of the same name, and some more: these are what the side of fewer
    lacks.
    """
    fewer = 0 if len(left) <= len(right) else 1
    lacking = set((left, right)[fewer]) < set((left, right)[1 - fewer])
    first = {(t.left, t.right)[fewer]: t for t in reversed(found)}  # of equal ones the first
    return 1 - fewer if lacking and all(t.left == t.right for t in first.values()) else fewer


def _given(before: list[str], links: dict[str, str]) -> list[str]:
    """The other side's twin of the last tensor before this one that has one: what a layer that it lacks would be given."""
    return [links[key] for key in before if key in links][-1:]


def _contains(container: str, key: str) -> bool:
    """Whether one layer is inside another, whose output is right, so that its own parts may be what they like."""
    return key != container and key.startswith((container + "/", container + "."))


def _between(keys: list[str], others: list[str], links: dict[str, str], key: str) -> list[str]:
    """Tensors of the other side without a twin that lie between the twins of this one's neighbours."""
    place = keys.index(key)
    before = [others.index(links[k]) for k in keys[:place] if k in links]
    after = [others.index(links[k]) for k in keys[place + 1 :] if k in links]
    start = before[-1] + 1 if before else 0
    stop = min((number for number in after if number >= start), default=len(others))
    return [other for other in others[start:stop] if other not in links.values()]


def _nearest(left: Reaction, right: Reaction, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pair of as many elements that is nearest, if there is one."""
    apart = [
        (_quick(left, one, view(right.seen[other])), one, other)
        for one, other in pairs
        for view in (twins.views(right.seen[other].shape, left.seen[one].shape) or [])
        if left.seen[one].size == right.seen[other].size
    ]
    return [min(apart)[1:]] if apart and min(apart)[0] >= floor.ROUNDING else []


def _compare_twins(left: Reaction, right: Reaction, found: Culprit, step: int) -> Comparison:
    view = nearest_view(left, found.left, right, found.right)
    return _compared(_name(found.name), (left, found.left), (right, found.right), view, step)


def _compared(
    name: str, left: tuple[Reaction, str], right: tuple[Reaction, str], view: twins.View, step: int
) -> Comparison:
    """How far two tensors are apart, the right one seen by this view."""
    times, decided = distance(*left, *right, view)
    (one, key), (other, other_key) = left, right
    worst = worst_element(_name(key), one.seen[key], _name(other_key), view(other.seen[other_key]))
    return Comparison(name, step, times, *worst, in_double=decided)


def nearest_view(left: Reaction, one: str, right: Reaction, other: str) -> twins.View:
    """The way to see a right tensor as a left one of as many elements that brings it nearest."""
    views = twins.views(right.seen[other].shape, left.seen[one].shape)
    return min(views, key=lambda view: _quick(left, one, view(right.seen[other])))


def _keys(side: Reaction, kind: str) -> list[str]:
    return [key for key in side.seen if key.startswith(kind)]


def _name(key: str) -> str:
    return key.split("|", 1)[1]
