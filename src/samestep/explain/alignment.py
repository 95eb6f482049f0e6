"""What the tensors that have no twin say about how two networks are built.

A parameter that one side alone has is the whole difference if both give the same outputs once it has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.building import building_cause, dtype_cause
from samestep.explain.layers import explain_forward
from samestep.matching import floor
from samestep.matching.aligning import Alignment, Tensor
from samestep.matching.judging import Comparison
from samestep.matching.sides import State
from samestep.results import Cause

Array = NDArray[Any]


def explain_alignment(case: Case, worst: Comparison) -> Explanation:
    """A bias, a scale or a second weight that only one side has, or another precision."""
    parameters, buffers = case.sides.parameters, case.sides.buffers
    if not parameters.complete:
        causes = _of_left_over(case, parameters, worst)
        return Explanation(causes) if causes else Explanation(ruled_out="parameters of both sides have no twin")
    if not buffers.complete:
        return Explanation(ruled_out="buffers without a twin")
    return Explanation(tuple(_dtypes(case)))


def _of_left_over(case: Case, alignment: Alignment, worst: Comparison) -> tuple[Cause, ...]:
    """What the tensors of one side without a twin are for, or what else differs once they have no effect."""
    over = alignment.left_over, alignment.right_over
    if all(over):
        return _of_layers(case, over, worst)
    side = 0 if over[0] else 1
    still = _still_on_the_other(case, side, over[side])
    if still and _same_outputs(case, side, still):
        return (building_cause(case, "trainable", side, True, False, over[side], True),)
    for setting, has, lacks, values in _without_effect(case, side, over[side]):
        if _same_outputs(case, side, values):
            return (building_cause(case, setting, side, has, lacks, over[side], True),)
    unknown = building_cause(case, "parameters", side, ", ".join(t.name for t in over[side]), None, over[side], False)
    return (*_of_layers(case, over, worst), unknown)


def _still_on_the_other(case: Case, side: int, extra: tuple[Tensor, ...]) -> dict[str, Array]:
    """What these parameters are if the other side holds them as buffers, which are not trained; nothing if it does not."""
    buffers = case.sides.buffers
    over = list((buffers.right_over, buffers.left_over)[side])
    found = {}
    for tensor in extra:
        twin = next((b for b in over if b.shape in (tensor.shape, tensor.shape[::-1])), None)
        if twin is None:
            return {}
        over.remove(twin)
        value = case.starts[1 - side]["buffers"][twin.name]
        found[tensor.name] = value if twin.shape == tensor.shape else value.T
    return found


def _of_layers(case: Case, over: tuple[tuple[Tensor, ...], ...], worst: Comparison) -> tuple[Cause, ...]:
    """In which settings layers differ while all biases without a twin are zero, if these are all that has none."""
    if not all(_is_offset(tensor) for side in over for tensor in side):
        return ()
    workers = case.sides.left, case.sides.right
    starts = _without(case.starts[0], over[0]), _without(case.starts[1], over[1])
    try:
        for worker, start in zip(workers, starts, strict=True):
            worker.ask("state", values=start)
        return explain_forward(replace(case, starts=starts), worst).causes
    finally:
        for worker, start in zip(workers, case.starts, strict=True):
            worker.ask("state", values=start)


def _without(state: State, extra: tuple[Tensor, ...]) -> State:
    """The state with zeros for these parameters."""
    zeros = {tensor.name: np.zeros_like(state["parameters"][tensor.name]) for tensor in extra}
    return {**state, "parameters": {**state["parameters"], **zeros}}


def _without_effect(
    case: Case, side: int, extra: tuple[Tensor, ...]
) -> Iterator[tuple[str, Any, Any, dict[str, Array]]]:
    """(setting, its value where the tensors are, and where not, values with which they have no effect)."""
    start = case.starts[side]["parameters"]
    yield "use_bias", True, False, {t.name: np.zeros_like(start[t.name]) for t in extra}
    yield "use_scale", True, False, {t.name: np.ones_like(start[t.name]) for t in extra}
    affine = {t.name: np.zeros_like(start[t.name]) if _is_offset(t) else np.ones_like(start[t.name]) for t in extra}
    yield "affine", True, False, affine
    for name, array in start.items():
        for tensor in extra if len(extra) == 1 and name != extra[0].name else ():
            for twin in (array, array.T):
                if twin.shape == tensor.shape and twin.ndim > 1:
                    yield "tied", False, True, {tensor.name: twin}


def _is_offset(tensor: Tensor) -> bool:
    return tensor.name.replace("/", ".").rpartition(".")[2].startswith(("beta", "bias", "b", "offset"))


def _same_outputs(case: Case, side: int, values: dict[str, Array]) -> bool:
    """Whether both sides give the same outputs, with the weights of this side and these values."""
    start, sides = case.starts[side], case.sides
    state: State = {**start, "parameters": {**start["parameters"], **values}}
    moved = sides.to_right(state) if side == 0 else _for_left(case, state)
    states = (state, moved) if side == 0 else (moved, state)
    outputs = []
    for worker, here, before, batch in zip((sides.left, sides.right), states, case.starts, case.batches, strict=True):
        worker.ask("state", values=here)
        shown = worker.ask("forward", x=batch["x"], training=False, activations=False)["outputs"]
        outputs.append([np.asarray(array, np.float64) for array in shown.values()])
        worker.ask("state", values=before)
    if [array.shape for array in outputs[0]] != [array.shape for array in outputs[1]]:
        return False
    apart = [_distance(one, other) for one, other in zip(*outputs, strict=True)]
    return max(apart, default=np.inf) < floor.DIFFERENT


def _for_left(case: Case, state: State) -> State:
    """The right state as the left program holds it, with what it alone has."""
    moved, start = case.sides.to_left(state), case.starts[0]
    return {**start, **{kind: {**start[kind], **moved[kind]} for kind in ("parameters", "buffers")}}


def _distance(one: Array, other: Array) -> float:
    return floor.times_floor(one, [], other, np.float32)


def _dtypes(case: Case) -> Iterator[Cause]:
    """The precision of the first twins that have not the same."""
    for group in (*case.sides.parameters.groups, *case.sides.buffers.groups):
        types = [sorted({tensor.dtype for tensor in tensors}) for tensors in (group.left, group.right)]
        if types[0] != types[1]:
            left, right = (", ".join(side) for side in types)
            yield dtype_cause(case, left, right)
            return
