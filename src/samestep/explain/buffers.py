"""Why moving averages differ after a step: the share that is kept, and which variance is averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fitting import Evidence, Fit, differences, nearest
from samestep.explain.fixes.layers import buffer_cause
from samestep.explain.identifying import search
from samestep.explain.references.layers import moving
from samestep.explain.references.layers.moving import Average
from samestep.explain.tensors import Layers, layers_of
from samestep.explain.watching import some_rows, spread
from samestep.matching import floor
from samestep.matching.judging import Comparison
from samestep.matching.sides import State

Array = NDArray[Any]

SCALES = (1.0, 0.5)
"""How large inputs and parameters are made in each step."""
STAYS = 1.0
"""The momentum of what does not move."""
DRAWS = 3
"""Siblings of each step."""


@dataclass(frozen=True)
class Step:
    """A training step of one side: what layers gave, and all tensors by layer before it, after it, and after siblings of it."""

    activations: Mapping[str, Array]
    before: Layers
    after: Layers
    siblings: tuple[Layers, ...]


def explain_buffers(case: Case, worst: Comparison) -> Explanation:
    """The settings in which the moving averages of batch normalisations differ."""
    steps = _steps(case)
    found: dict[tuple[str, str, str], tuple[tuple[str, Any, Any], list[str]]] = {}
    unknown = []
    for layer, tensors in steps[0][0].before.items():
        if {"mean", "variance"} <= tensors.keys():
            pair = _identified(steps, layer)
            unknown += [layer] if pair is None else []
            for told in _told(case, pair) if pair else ():
                found.setdefault((told[0], str(told[1]), str(told[2])), (told, []))[1].append(layer)
    causes = tuple(buffer_cause(case, told, layers) for told, layers in found.values())
    if causes:
        return Explanation(causes)
    where = f"in {', '.join(unknown)}" if unknown else "of the buffers that differ"
    return Explanation(ruled_out=f"no moving average of an input's mean and variance reproduces both sides {where}")


def _told(case: Case, pair: tuple[Fit, Fit]) -> list[tuple[str, Any, Any]]:
    """What differs; averages that stay while the forward pass differs are of a layer in inference mode, which that tells."""
    stays = STAYS in [fit.numbers["momentum"] for fit in pair]
    forward = any(entry.stage.stage == "forward" and entry.stage.verdict == "different" for entry in case.judged)
    return [] if stays and forward else differences(*pair)


def _identified(steps: tuple[list[Step], list[Step]], layer: str) -> tuple[Fit, Fit] | None:
    """How both sides move the averages of one layer."""
    fits, evidence = [], []
    for side in steps:
        for seen in _evidence(side, layer):
            found = search(moving.variants(), seen, limit=float("inf"))  # a share is found from afar: it acts linearly
            if found:
                fits.append(found)
                evidence.append(seen)
                break
    return nearest(fits[0], fits[1], (evidence[0], evidence[1])) if len(fits) == 2 else None


def _evidence(steps: list[Step], layer: str) -> Iterator[Evidence]:
    """What the layer's averages become, with each tensor and each of its axes as the layer's input."""
    channels = steps[0].before[layer]["mean"].size
    seen = np.array([step.after[layer][role] for step in steps for role in ("mean", "variance")])
    siblings = [
        np.array([step.siblings[number][layer][role] for step in steps for role in ("mean", "variance")])
        for number in range(DRAWS)
    ]
    for key, array in reversed(list(steps[0].activations.items())):
        for axis in {1, array.ndim - 1} if array.ndim > 1 else ():
            if array.shape[axis] == channels:
                given = [one for step in steps for one in _averages(step, layer, key, axis)]
                yield Evidence(given, seen, siblings)


def _averages(step: Step, layer: str, key: str, axis: int) -> list[Average]:
    """The layer's averages before the step, and the moments of this tensor."""
    array, before = step.activations[key].astype(np.float64), step.before[layer]
    others = tuple(number for number in range(array.ndim) if number != axis)
    count = array.size // array.shape[axis]
    return [Average(before["mean"], array.mean(others), 0), Average(before["variance"], array.var(others), count)]


def _steps(case: Case) -> tuple[list[Step], list[Step]]:
    """Training steps of both sides from common states; these are put back."""
    sides = case.sides
    found: tuple[list[Step], list[Step]] = ([], [])
    try:
        for number, scale in enumerate(SCALES):
            state = spread(case, scale)
            sides.right.ask("state", values=sides.to_right(state))
            states = state, sides.right.ask("state")
            for side, here in enumerate(states):
                found[side].append(_step(case, side, here, number, scale))
        return found
    finally:
        for worker, start in zip((sides.left, sides.right), case.starts, strict=True):
            worker.ask("state", values=start)


def _step(case: Case, side: int, state: State, number: int, scale: float) -> Step:
    worker, batch = (case.sides.left, case.sides.right)[side], case.batches[side]
    x, y = some_rows(batch["x"], number, scale, batch["x"]), some_rows(batch["y"], number, 1.0, batch["x"])
    worker.ask("state", values=state)
    activations = worker.ask("forward", x=x, training=True)["activations"]

    def after(here: State) -> Layers:
        worker.ask("state", values=here)
        return _layers(case, side, worker.ask("step", x=x, y=y))

    siblings = tuple(after(floor.moved_tree(state, case.rng)) for _ in range(DRAWS))
    inputs = {f"x {name}": array for name, array in (x.items() if isinstance(x, dict) else [("x", x)])}
    return Step({**inputs, **activations}, _layers(case, side, state), after(state), siblings)


def _layers(case: Case, side: int, state: State) -> Layers:
    return layers_of(case.sides, case.sides.to_left(state) if side else state)
