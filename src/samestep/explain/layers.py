"""Why the forward pass differs: the first layer without a twin, and those behind it, are identified on their own inputs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain import fitting
from samestep.explain.case import Case, Explanation
from samestep.explain.fitting import Evidence, Fit, Variant, nearest
from samestep.explain.fixes.layers import layer_cause
from samestep.explain.identifying import fits_as_well, identify, identify_joint, in_half_precision, of_reordered_input
from samestep.explain.watching import Moment, Pair, Watched, pair_of, unlike_pair, watch
from samestep.matching import floor, twins
from samestep.matching.judging import Comparison
from samestep.matching.reaction import Observation
from samestep.results import Cause

Array = NDArray[Any]

INPUTS = 5
"""So many of the last tensors on which both sides agree are tried as a layer's input."""
BESIDE = 4
"""So many of them are tried together, as what one layer is given."""
STEPS = 4
"""What is called as often as a row has steps, and gives as much each time, is called at each of them, if these are so many."""
SECONDS = 20.0
"""After this time no further layer is looked at."""
DOUBTFUL = ("activation", "kind", "scale", "offset")
"""Settings by which nearly any two tensors may differ."""
COUNTERPARTS = 4
"""So many tensors of either side are tried as the first one that differs."""
NOTHING = Variant(
    "activation", {"activation": "none"}, {}, lambda given, settings: np.array([one.x.ravel() for one in given])
)
"""What a side without a layer does in its place."""
ALIKE = 0.5
"""Tensors behind the first difference play the same role if they are no farther apart, relative to their norm."""
FOLLOWING = ("statistics", "axis", "groups", "variance", "epsilon_place", "gamma_offset")
"""Settings that belong to a kind of layer: where the kinds differ, they tell nothing more."""


@dataclass(frozen=True)
class Found:
    """One setting in which two layers differ, how both compute, and which layers they are."""

    setting: str
    left: Any
    right: Any
    fits: tuple[Fit, Fit]
    made: Pair

    @property
    def key(self) -> tuple[str, str, str]:
        """Layers that differ in the same way have one cause."""
        return self.setting, str(self.left), str(self.right)


def explain_forward(case: Case, worst: Comparison) -> Explanation:
    """The settings in which layers differ, in inference mode and then in training mode."""
    until = time.monotonic() + SECONDS
    found: list[Found] = []
    failures: list[str] = []
    for training in (False, True):
        told, failed = _explain_mode(case, watch(case, training), until)
        found, failures = found + told, [*failures, failed]
    causes = tuple(
        _cause(case, [one for one in found if one.key == key]) for key in dict.fromkeys(f.key for f in found)
    )
    ruled_out = next(filter(None, failures), "no layer differs in the states that were tried")
    return Explanation(causes, "" if causes else ruled_out)


def _cause(case: Case, alike: Sequence[Found]) -> Cause:
    """The one cause of layers that differ alike."""
    names = [list(dict.fromkeys(_shown(one.made.key(side)) for one in alike)) for side in (0, 1)]
    first = alike[0]
    return layer_cause(case, (first.setting, first.left, first.right), first.fits, (names[0], names[1]))


def _explain_mode(case: Case, watched: Watched, until: float) -> tuple[list[Found], str]:
    """What differs in all layers in one mode, and why the first one could not be explained."""
    if watched.culprit is None:
        return [], ""
    moment, first = watched.culprit
    agreed = _agreed(moment, first)
    found, failed = _first_difference(case, watched, agreed, first, until)
    for inputs, pair in _further(moment, agreed, first):
        if time.monotonic() > until or not found:
            break
        found += [one for one in _compared(case, watched, inputs[:2], pair, until)[0] if _settled([one], pair)]
    return found, failed


def _first_difference(
    case: Case, watched: Watched, agreed: Sequence[Pair], first: Pair, until: float
) -> tuple[list[Found], str]:
    """What differs in the first pair, with the left or the right tensor replaced by those behind it, or in a layer too many."""
    moment = watched.moments[0] if watched.culprit is None else watched.culprit[0]
    failed = ""
    for pair in _counterparts(moment, agreed, first):
        found, why = _compared(case, watched, agreed, pair, until)
        failed = failed or why
        if found and (_settled(found, pair) or _alike_behind(case, watched, agreed, pair)):
            return found, ""
    found = _one_too_many(case, watched, agreed, until)
    return found, "" if found else failed


def _counterparts(moment: Moment, agreed: Sequence[Pair], first: Pair) -> list[Pair]:
    """Pairs that may be the first layer: of one name, then as found, then with others of its size on either side."""
    lefts, rights = (_without_steps(moment.side(side).seen, _alone(moment, agreed, side)) for side in (0, 1))
    pairs = [(key, key) for key in (first.left, first.right) if key in lefts and key in rights]
    pairs += [(first.left, first.right)] if first.left in lefts and first.right in rights else []
    pairs += [(key, key) for key in lefts[:1] if key in rights] + [
        (left, right) for left in lefts[:1] for right in rights
    ]
    pairs += [(left, right) for right in rights[:1] for left in lefts]
    alike = [pair for pair in dict.fromkeys(pairs) if _gap(moment, *pair) < float("inf")]
    unlike = [unlike_pair(moment, agreed, left, right) for left, right in zip(lefts[:1], rights[:1], strict=False)]
    return [*filter(None, unlike), *(pair_of(moment, *pair) for pair in alike[:COUNTERPARTS])]


def _alone(moment: Moment, agreed: Sequence[Pair], side: int) -> list[str]:
    """The tensors of one side behind the last one on which both sides agree."""
    seen = moment.side(side).seen
    keys = list(seen)
    known = [seen[pair.key(side)] for pair in agreed]
    behind = _behind(keys, max((pair.key(side) for pair in agreed), key=keys.index)) if agreed else keys
    return [key for key in behind if not any(np.array_equal(seen[key], one) for one in known)]


def _without_steps(seen: Observation, keys: Sequence[str]) -> list[str]:
    """The tensors without those of what is called again and again, such as a cell at each step in time."""
    named = [(key.partition("#")[0], seen[key].shape) for key in keys]
    calls = Counter(named)
    length = min((array.shape[1] for key, array in seen.items() if key.startswith("x|") and array.ndim > 1), default=0)
    return [key for key, name in zip(keys, named, strict=True) if calls[name] < max(length, STEPS)]


def _settled(found: Sequence[Found], pair: Pair) -> bool:
    """Whether the pair is of one layer beyond doubt: its tensors have one name, or are made by one kind of layer."""
    alike = all(one.fits[0].variant.name == one.fits[1].variant.name and one.setting not in DOUBTFUL for one in found)
    return alike or pair.left == pair.right


def _one_too_many(case: Case, watched: Watched, agreed: Sequence[Pair], until: float) -> list[Found]:
    """A layer that only one side has: without it, that side computes what the other one does."""
    moment = watched.culprit[0] if watched.culprit else watched.moments[0]
    for side, given in product((0, 1), agreed[:2]):
        for key in _alone(moment, agreed, side)[:COUNTERPARTS]:
            extra = _like(moment, key, given, side)
            made = _read(case, watched, given, extra, side) if time.monotonic() < until else []
            if made and _goes_on(case, watched, agreed, given, extra, side):
                nothing = Fit(NOTHING, {}, 0.0)
                pair = (made[0], nothing) if side == 0 else (nothing, made[0])
                return [Found(*told, pair, extra) for told in _differences(pair)]
    return []


def _alike_behind(case: Case, watched: Watched, agreed: Sequence[Pair], pair: Pair) -> bool:
    """Whether both sides go on alike from this pair, or end with it."""
    moment = watched.culprit[0] if watched.culprit else watched.moments[0]
    ends = [not _behind(list(moment.side(side).seen), pair.key(side)) for side in (0, 1)]
    return all(ends) or _goes_on(case, watched, agreed, pair, pair, 0)


def _goes_on(case: Case, watched: Watched, agreed: Sequence[Pair], given: Pair, extra: Pair, side: int) -> bool:
    """Whether one side makes of the extra tensor what the other side makes of the given one."""
    moment = watched.culprit[0] if watched.culprit else watched.moments[0]
    behind = [
        _behind(_alone(moment, agreed, number), pair.key(number)) for number, pair in ((side, extra), (1 - side, given))
    ]
    for there, key in product(behind[1][:COUNTERPARTS], behind[0][:COUNTERPARTS]):
        left, right = (there, key) if side else (key, there)
        if _gap(moment, left, right) < float("inf"):
            pair = pair_of(moment, left, right)
            here = watched.evidence(extra, pair, side)
            made = _read(case, watched, given, pair, 1 - side) if here is not None else []
            if here is not None and any(fits_as_well(one, here) for one in made):
                return True
    return False


def _read(case: Case, watched: Watched, given: Pair, made: Pair, side: int) -> list[Fit]:
    """What one side computes between two tensors."""
    evidence = watched.evidence(given, made, side)
    return identify(evidence, watched.training, _likely(case, watched.moments[0], made)) if evidence else []


def _like(moment: Moment, key: str, given: Pair, side: int) -> Pair:
    """One side's tensor by itself, with its axes in the order in which the given one is seen."""
    seen = moment.side(side).seen
    return Pair(key, key, given.view if seen[key].shape == seen[given.key(side)].shape else np.asarray)


def _agreed(moment: Moment, before: Pair) -> list[Pair]:
    """The tensors before a pair on which both sides agree, the last ones first.

    One tensor of the pair may itself be such a one: what a layer was given that only the other side has.
    """

    def apart(key: str, array: Array) -> float:
        near = [sibling[key] for sibling in moment.left.siblings]
        return floor.times_floor(moment.left.seen[key], near, array)

    found = twins.find(moment.left.seen, moment.right.seen, apart, floor.ROUNDING)
    places = [{key: place for place, key in enumerate(moment.side(side).seen)} for side in (0, 1)]
    gaps = [(places[0][before.left] - places[0][t.left], places[1][before.right] - places[1][t.right]) for t in found]
    once = [set(_without_steps(moment.side(side).seen, list(moment.side(side).seen))) for side in (0, 1)]
    earlier = [
        _of_one_shape(moment, twin)
        for twin, gap in zip(found, gaps, strict=True)
        if min(gap) >= 0 < max(gap) and twin.left in once[0] and twin.right in once[1]
    ]
    return sorted(earlier, key=lambda pair: -places[1][pair.right])


def _of_one_shape(moment: Moment, twin: twins.Twin) -> Pair:
    """The twins, with the left one as it was reshaped if only then the axes are those of the right one."""
    one, shape = moment.left.seen[twin.left], sorted(moment.right.seen[twin.right].shape)
    for key, array in moment.left.seen.items() if sorted(one.shape) != shape else ():
        if sorted(array.shape) == shape and np.array_equal(array.ravel(), one.ravel()):
            pair = pair_of(moment, key, twin.right)
            if floor.times_floor(array, [], pair.view(moment.right.seen[twin.right])) < floor.ROUNDING:
                return pair
    return Pair(twin.left, twin.right, twin.view)


def _further(moment: Moment, agreed: Sequence[Pair], first: Pair) -> Iterator[tuple[list[Pair], Pair]]:
    """(possible inputs, pair) of the tensors behind the first difference that play the same role on both sides."""
    known = [first, *agreed]
    rights = _behind(list(moment.right.seen), first.right)
    for left in _behind(list(moment.left.seen), first.left):
        right = _lookalike(moment, left, rights)
        if right is not None:
            rights = _behind(rights, right)
            pair = pair_of(moment, left, right)
            yield list(known), pair
            known.insert(0, pair)


def _behind(keys: list[str], key: str) -> list[str]:
    return keys[keys.index(key) + 1 :] if key in keys else keys


def _lookalike(moment: Moment, left: str, rights: Sequence[str]) -> str | None:
    """The right tensor of the same name and size, or else the first one that is near a left one, if any is."""
    if left in rights and _gap(moment, left, left) < float("inf"):
        return left
    return next((right for right in rights if _gap(moment, left, right) < ALIKE), None)


def _gap(moment: Moment, left: str, right: str) -> float:
    one, other = moment.left.seen[left], moment.right.seen[right]
    views = twins.views(other.shape, one.shape)
    size = float(np.linalg.norm(one)) or 1.0
    return min((float(np.linalg.norm(one - view(other))) / size for view in views), default=float("inf"))


def _compared(
    case: Case, watched: Watched, inputs: Sequence[Pair], made: Pair, until: float
) -> tuple[list[Found], str]:
    """What differs in one layer, or why that is not known."""
    names = _likely(case, watched.moments[0], made)
    one_sided = ""
    for given in [*inputs[:INPUTS], *(pair for pair in inputs[INPUTS:] if pair.left.startswith("x|"))]:
        evidence = watched.evidence(given, made, 0), watched.evidence(given, made, 1)
        if evidence[0] is None or evidence[1] is None or time.monotonic() > until:
            continue
        both = evidence[0], evidence[1]
        found = _identified(both, watched.training, names)
        pair = nearest(found[0], found[1], both)
        if pair is not None:
            return [Found(*told, pair, made) for told in _differences(pair)], _same(pair)
        one_sided = one_sided or _one_sided(found)
    pair = _of_several(watched, inputs[:BESIDE], made, names) if time.monotonic() < until else None
    if pair is not None:
        return [Found(*told, pair, made) for told in _differences(pair)], _same(pair)
    return [], one_sided or f"no known layer gives {_shown(made.left)} on the left or {_shown(made.right)} on the right"


def _of_several(watched: Watched, inputs: Sequence[Pair], made: Pair, names: Sequence[str]) -> tuple[Fit, Fit] | None:
    """The nearest layers of both sides that are given several tensors, if they are known."""
    if len(inputs) < 2:
        return None
    evidence = [watched.evidence(inputs[0], made, side, inputs[1:]) for side in (0, 1)]
    if evidence[0] is None or evidence[1] is None:
        return None
    both = evidence[0], evidence[1]
    left = identify_joint(both[0], names)
    return nearest(left, identify_joint(both[1], names) if left else [], both)


def _identified(both: tuple[Evidence, Evidence], training: bool, names: Sequence[str]) -> tuple[list[Fit], list[Fit]]:
    """The layers of both sides: those of one side, and the other's by them if these tell it."""
    left = identify(both[0], training, names)
    told = _by_the_other(left, both[1])
    if told is not None:
        return told
    right = identify(both[1], training, names)
    told = None if left else _by_the_other(right, both[0])
    return (left, right) if told is None else (told[1], told[0])


def _by_the_other(known: list[Fit], evidence: Evidence) -> tuple[list[Fit], list[Fit]] | None:
    """The layers of one side, and of the other as the same, in half precision, or of an input in another order."""
    same = [one for one in known if fits_as_well(one, evidence)]
    if same:
        return known, same
    half = in_half_precision(known, evidence)
    if half:
        return _with(known, compute_dtype="float32"), half
    for setting, usual, other, reordered in of_reordered_input(known, evidence):
        return _with(known, **{setting: usual}), _with(reordered, **{setting: other})
    return None


def _with(found: Sequence[Fit], **choices: Any) -> list[Fit]:
    return [replace(one, variant=one.variant.with_choices(**choices)) for one in found]


def _same(pair: tuple[Fit, Fit]) -> str:
    return "" if _differences(pair) else f"the same {pair[0].variant.name} reproduces both sides"


def _one_sided(found: Sequence[Sequence[Fit]]) -> str:
    for fits, side, other in zip(found, ("left", "right"), ("right", "left"), strict=True):
        if fits:
            settings = ", ".join(f"{name}={value}" for name, value in fits[0].settings.items())
            return f"the {side} side computes {fits[0].variant.name} ({settings}); no known layer reproduces the {other} one"
    return ""


def _differences(pair: tuple[Fit, Fit]) -> list[tuple[str, Any, Any]]:
    """(setting, left, right), without what only follows from another kind."""
    found = [("kind" if name == "algorithm" else name, left, right) for name, left, right in fitting.differences(*pair)]
    names = [fit.variant.name for fit in pair]
    if "dropout" in names and "none" in [fit.settings.get("activation") for fit in pair]:
        rates = [fit.settings.get("rate", 0.0) for fit in pair]
        return [("dropping", *rates)]
    if set(names) == {"scaling", "activation"} and "none" in [fit.settings.get("activation") for fit in pair]:
        values = [
            (name, *(fit.settings.get(name, usual) for fit in pair))
            for name, usual in (("scale", 1.0), ("offset", 0.0))
        ]
        return [one for one in values if one[1] != one[2]]
    if any(name == "kind" for name, _, _ in found):
        return [one for one in found if one[0] not in FOLLOWING]
    return found


def _likely(case: Case, moment: Moment, made: Pair) -> list[str]:
    """The layers that have tensors, those first that are named like the tensor that was made."""
    keys = [_words(key) for key in (made.left, made.right)]

    def rank(layer: str) -> int:
        return -max(len(_common(_words(layer), key)) for key in keys)

    return sorted(moment.layers, key=rank)


def _words(name: str) -> list[str]:
    return name.partition("|")[2].replace("/", ".").split(".") if "|" in name else name.replace("/", ".").split(".")


def _common(one: Sequence[str], other: Sequence[str]) -> set[str]:
    return set(one) & set(other) if one[-1] in other else set()


def _shown(key: str) -> str:
    return key.partition("|")[2]
