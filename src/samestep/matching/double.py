"""Both programs once more in float64, where rounding all but vanishes and a real difference stays as large as it was.

How far a program moves with one ulp in all that it reads tells nothing of how carelessly it sums: where TensorFlow adds
up 2^18 numbers one after another, its float32 batch statistics are wrong by hundreds of floors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from samestep.errors import SamestepError
from samestep.matching.sides import State
from samestep.worker.parent import Worker

Start = Callable[[int], Worker]
"""Starts a process of the left (0) or right (1) program that loads it in float64; its answer is still to be received."""


class Doubles:
    """The two programs in float64, started when they are first asked for; one that cannot compute so is never there.

    described: both sides, of which one that is in float64 already has no other run. drawing: what each side is told of the
    shared randomness, None where nothing is drawn.
    """

    def __init__(
        self, start: Start, described: Sequence[dict[str, Any]], drawing: Sequence[dict[str, Any] | None]
    ) -> None:
        self._start, self._described, self._drawing = start, described, drawing
        self._workers: list[Worker | None] | None = None

    def __enter__(self) -> Doubles:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for worker in self._workers or ():
            if worker is not None:
                worker.__exit__(kind, error, trace)

    def look(self, side: int, see: Callable[[Worker], Any]) -> Any:
        """What is seen of one side's program in float64, None where that cannot be."""
        worker = self._both()[side]
        with suppress(SamestepError):  # its author's code may take float32 alone
            return None if worker is None else see(worker)
        return None

    def _both(self) -> list[Worker | None]:
        if self._workers is None:
            self._workers = [self._started(side) for side in (0, 1)]
            self._workers = [worker and self._ready(worker, side) for side, worker in enumerate(self._workers)]
        return self._workers

    def _started(self, side: int) -> Worker | None:
        with suppress(SamestepError):
            return None if _is_double(self._described[side]) else self._start(side)
        return None

    def _ready(self, worker: Worker, side: int) -> Worker | None:
        with suppress(SamestepError):
            worker.receive()
            if _is_double(worker.ask("describe")):
                worker.ask("randomness", **(self._drawing[side] or {"seed": None}))
                return worker
        worker.__exit__(None, None, None)
        return None


def _is_double(described: Mapping[str, Any]) -> bool:
    return {entry["dtype"] for entry in described["parameters"]} == {"float64"}


def state_in_double(state: State) -> State:
    """The state as the same program holds it in float64; its private parts follow from the step."""
    shared: State = widened({group: values for group, values in state.items() if group != "private"})
    return shared


def widened(values: Any) -> Any:
    """A tree of dicts and lists with its arrays of floats in float64."""
    if isinstance(values, Mapping):
        return {name: widened(value) for name, value in values.items()}
    if isinstance(values, list):
        return [widened(value) for value in values]
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else values
