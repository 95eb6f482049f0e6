"""Why the same losses have different gradients: what turns one side's gradients into the other's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.gradients import gradient_cause
from samestep.explain.references import gradients
from samestep.explain.references.gradients import TORCH_BESIDE, Change, Pass, Tensors
from samestep.matching import floor
from samestep.matching.judging import Comparison
from samestep.matching.sides import State
from samestep.results import Cause
from samestep.worker.parent import Worker

Array = NDArray[Any]

SCALES = (1.0, 1.0, 0.3, 0.3, 3.0, 3.0, 10.0, 10.0)
"""How much larger than at first the parameters are made: gradients below any clipping, and above it."""
SHIFT = 0.05
"""How far the parameters are moved besides, relative to the largest of them, since zeros stay zeros."""
SIBLINGS = 3
"""Siblings of each side's gradients."""


@dataclass(frozen=True)
class Seen:
    """One pass of a side under the left side's names; siblings: its gradients with all that it read moved by one ulp."""

    given: Pass
    siblings: list[Tensors]


Side = Sequence[Seen]


def explain_gradients(case: Case, worst: Comparison) -> Explanation:
    """What is done to gradients on one side and not on the other."""
    left, right = _look(case)
    if _reproduces(left, right, lambda given: given.gradients):
        return Explanation(ruled_out="the gradients agree at all states near the initial one")
    frozen = _frozen(left), _frozen(right)
    causes = [_trainable(case, frozen, left)] if frozen[0] != frozen[1] else []
    left, right = (_without(side, frozen[0] | frozen[1]) for side in (left, right))
    if not _reproduces(left, right, lambda given: given.gradients):
        found = next(_changes(left, right, _tables(case)), None)
        if found is None:
            noted = "neither scaling, clipping nor weight decay turns one side's gradients into the other's"
            return Explanation(tuple(causes), ruled_out=noted)
        side, change, base = found
        values = (base, change.value) if side == 1 else (change.value, base)
        causes.append(gradient_cause(case, change, values))
    return Explanation(tuple(causes))


def _look(case: Case) -> tuple[list[Seen], list[Seen]]:
    """Both sides' gradients at the same states on the same rows."""
    sides, start = case.sides, case.starts[0]
    seen: tuple[list[Seen], list[Seen]] = ([], [])
    rows = len(_first(case.batches[0]["x"]))
    try:
        for number, scale in enumerate(SCALES):
            state = _scaled(start, scale, case.rng)
            sides.right.ask("state", values={**case.starts[1], **sides.to_right(state)})
            states = state, sides.right.ask("state")
            order = case.rng.permutation(rows)[: rows if number % 2 == 0 else max(1, rows // 2)]
            for side, worker in enumerate((sides.left, sides.right)):
                batch = {
                    name: _each(case.batches[side][name], lambda array, order=order: array[order])
                    for name in ("x", "y")
                }
                to_left: Callable[[Tensors], Tensors] = sides.parameters.to_left if side else dict
                seen[side].append(_on(worker, states[side], batch, to_left, case.rng))
    finally:
        for worker, before in zip((sides.left, sides.right), case.starts, strict=True):
            worker.ask("state", values=before)
    return seen


def _on(
    worker: Worker, state: State, batch: dict[str, Any], to_left: Callable[[Tensors], Tensors], rng: np.random.Generator
) -> Seen:
    def look(here: State, x: Any) -> Tensors:
        worker.ask("state", values=here)
        found = to_left(worker.ask("gradients", x=x, y=batch["y"])["gradients"])
        return {name: array.astype(np.float64) for name, array in found.items()}

    given = look(state, batch["x"])
    parameters = {name: array.astype(np.float64) for name, array in to_left(state["parameters"]).items()}
    siblings = [
        look(floor.moved_tree(state, rng), _each(batch["x"], lambda array: floor.moved(array, rng)))
        for _ in range(SIBLINGS)
    ]
    return Seen(Pass(len(_first(batch["x"])), parameters, given), siblings)


def _scaled(start: State, scale: float, rng: np.random.Generator) -> State:
    def moved(array: Array) -> Array:
        shift = SHIFT * rng.normal(size=array.shape)
        return ((array + shift) * scale).astype(array.dtype) if array.dtype.kind == "f" else array

    return {**start, "parameters": {name: moved(array) for name, array in start["parameters"].items()}}


def _frozen(side: Side) -> frozenset[str]:
    """The tensors whose gradients are zero in all passes."""
    return frozenset(name for name in side[0].given.gradients if not any(s.given.gradients[name].any() for s in side))


def _without(side: Side, names: frozenset[str]) -> list[Seen]:
    """The passes without some tensors."""

    def kept(tensors: Tensors) -> Tensors:
        return {name: array for name, array in tensors.items() if name not in names}

    return [
        Seen(
            Pass(s.given.rows, kept(s.given.parameters), kept(s.given.gradients)),
            [kept(sibling) for sibling in s.siblings],
        )
        for s in side
    ]


def _tables(case: Case) -> list[str]:
    """The left names of parameters whose rows are looked up."""
    names = {right: left for left, right in case.sides.parameters.right_names.items()}
    sides = [[(p["name"], p.get("layout", "")) for p in side["parameters"]] for side in case.sides.described]
    told = [*sides[0], *((names.get(name, ""), layout) for name, layout in sides[1])]
    return list(dict.fromkeys(name for name, layout in told if name and "token" in layout))


def _changes(left: Side, right: Side, tables: Sequence[str]) -> Iterator[tuple[int, Change, Any]]:
    """Changes of one side's gradients that give the other's, the simplest first: (which side has it, it, the base's value)."""
    for propose in (partial(_missing_rows, tables), _clippings, _scales, _decays, _noises, _own_scales):
        for side, base, changed in ((1, left, right), (0, right, left)):
            for change in propose(base, changed):
                if _reproduces(base, changed, change.apply):
                    yield side, change, _value_of_base(change, base)


def _reproduces(base: Side, changed: Side, apply: Callable[[Pass], Tensors]) -> bool:
    """Whether the change turns the gradients of one side into those of the other, within the rounding of both."""
    for one, other in zip(base, changed, strict=True):
        made = apply(one.given)
        lent = [apply(Pass(one.given.rows, one.given.parameters, sibling)) for sibling in one.siblings]
        for name, seen in other.given.gradients.items():
            near = [s[name] for s in other.siblings] + [seen + moved[name] - made[name] for moved in lent]
            if not floor.times_floor(seen, near, made[name], np.float32) < floor.ROUNDING:
                return False
    return True


def _missing_rows(tables: Sequence[str], base: Side, changed: Side) -> Iterator[Change]:
    """A row of a table that has gradients on one side only."""
    for name in (table for table in tables if table in base[0].given.gradients):
        moved = [np.any([seen.given.gradients[name] != 0 for seen in side], axis=0) for side in (base, changed)]
        rows = [np.flatnonzero(each.reshape(len(each), -1).any(1)).tolist() for each in moved]
        missing = [row for row in rows[0] if row not in rows[1]]
        if len(missing) == 1:
            yield gradients.without_row(name, missing[0])


def _scales(base: Side, changed: Side) -> Iterator[Change]:
    yield gradients.scaled_by_rows(1)
    by = gradients.steepest(_tensors(base, changed))
    sizes = [[gradients.global_norm(seen.given.gradients) for seen in side] for side in (base, changed)]
    if by < 1 and all(np.ptp(each) < 1e-4 * max(each) for each in sizes):  # both clipped, in all passes
        yield gradients.clipped_to(gradients.rounded(max(sizes[1]), 4), by)
    if by and abs(by) >= 1:  # less than one is told as the other side's
        yield from (gradients.scaled(gradients.rounded(by, digits)) for digits in (1, 2, 3, 4, 7))


def _clippings(base: Side, changed: Side) -> Iterator[Change]:
    each = [seen.given.gradients for seen in changed]
    limits = (
        (gradients.clipped_by_global_norm, max(gradients.global_norm(tensors) for tensors in each)),
        (gradients.clipped_by_norm, max(gradients.norm(g) for tensors in each for g in tensors.values())),
        (gradients.clipped_by_value, max(float(np.max(np.abs(g), initial=0)) for t in each for g in t.values())),
    )
    for (clipped, limit), digits, beside in product(limits, (1, 2, 3, 4, 7), (0.0, TORCH_BESIDE)):
        yield clipped(gradients.rounded(limit, digits), beside)


def _decays(base: Side, changed: Side) -> Iterator[Change]:
    """Differences of gradients that are the parameters, or their signs, times a number."""
    for made, of in ((gradients.decayed, lambda w: 2 * w), (gradients.shrunk, np.sign)):
        amounts = {
            name: gradients.steepest(
                [
                    (of(one.given.parameters[name]), other.given.gradients[name] - one.given.gradients[name])
                    for one, other in zip(base, changed, strict=True)
                ]
            )
            for name in base[0].given.gradients
        }
        largest = max(amounts.values(), default=0.0)
        kept = {name: amount if amount > 1e-3 * largest else 0.0 for name, amount in amounts.items()}
        if largest > 0:
            for digits in (1, 2, 3, 4, 6):
                yield made({name: gradients.rounded(amount, digits) for name, amount in kept.items()})


def _noises(base: Side, changed: Side) -> Iterator[Change]:
    """The same numbers added in all passes, which begin with the same random state, if they scatter around zero."""
    both = list(zip(base, changed, strict=True))
    added = {
        name: np.mean([other.given.gradients[name] - one.given.gradients[name] for one, other in both], axis=0)
        for name in base[0].given.gradients
    }
    values = np.concatenate([array.ravel() for array in added.values()])
    if values.size > 16 and abs(values.mean()) < 4 * values.std() / values.size**0.5:
        yield gradients.noisy(added, float(values.std()))


def _own_scales(base: Side, changed: Side) -> Iterator[Change]:
    by = {name: gradients.steepest(_tensors(base, changed, name)) for name in base[0].given.gradients}
    for digits in (1, 2, 3, 4, 7):
        near = {name: gradients.rounded(value, digits) for name, value in by.items()}
        yield gradients.scaled_each({name: value for name, value in near.items() if value != 1})


def _tensors(base: Side, changed: Side, only: str = "") -> list[tuple[Array, Array]]:
    return [
        (one.given.gradients[name], other.given.gradients[name])
        for one, other in zip(base, changed, strict=True)
        for name in ([only] if only else one.given.gradients)
    ]


def _value_of_base(change: Change, base: Side) -> Any:
    """What the side without the change has in its place; it may be clipped too, at a higher limit."""
    if change.setting == "scale":
        return dict.fromkeys(change.value, 1.0) if isinstance(change.value, Mapping) else 1.0
    if change.setting == "padding_idx":
        return None
    if change.component == "regularizer" or change.setting == "noise":
        return 0.0
    each = [seen.given.gradients for seen in base]
    sizes = {
        "global_clip_norm": [gradients.global_norm(tensors) for tensors in each],
        "clip_norm": [gradients.norm(g) for tensors in each for g in tensors.values()],
        "clip_value": [float(v) for tensors in each for g in tensors.values() for v in np.abs(g).ravel()],
    }[change.setting]
    at_limit = np.isclose(sizes, max(sizes), rtol=1e-4, atol=0).sum()
    return gradients.rounded(max(sizes), 4) if at_limit > 1 else None


def _trainable(case: Case, frozen: tuple[frozenset[str], frozenset[str]], seen: Side) -> Cause:
    """The tensors that one side trains, and the other does not."""
    names = [name for name in seen[0].given.gradients if (name in frozen[0]) != (name in frozen[1])]
    trained = tuple([name for name in names if name not in side] for side in frozen)
    change = Change("mode", "trainable", names, lambda given: given.gradients)
    return gradient_cause(case, change, (trained[0], trained[1]))


def _first(rows: Any) -> Array:
    found: Array = next(iter(rows.values())) if isinstance(rows, dict) else rows
    return found


def _each(rows: Any, function: Callable[..., Any]) -> Any:
    return {name: function(array) for name, array in rows.items()} if isinstance(rows, dict) else function(rows)
