"""How a program answers at one state, and how its answer moves when all that it reads moves by one ulp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.sides import State
from samestep.worker.parent import Worker

Array = NDArray[Any]
Observation = Mapping[str, Array]
"""One flat dict of what was seen; a key is the kind, a "|" and the tensor's name."""
Look = Callable[[np.random.Generator | None], Observation]
"""Runs the program: exactly as it is, or with everything moved by ±1 ulp by this generator."""
Batch = dict[str, Array]
"""The arrays x and y of one batch."""


@dataclass
class Reaction:
    """What `look` sees of a program, exactly and with ±1 ulp; siblings are measured when they are asked for.

    look_in_double: what `look` sees where the program computes in float64; None where it cannot. most: no more siblings
    than so many are measured, whoever asks.
    """

    look: Look
    rng: np.random.Generator
    look_in_double: Callable[[], Observation | None] = lambda: None
    seen: Observation = field(init=False)
    siblings: list[Observation] = field(default_factory=list)
    most: int = floor.MORE_DRAWS

    def __post_init__(self) -> None:
        self.seen = self.look(None)

    def grow(self, draws: int) -> None:
        """Measure siblings until there are this many."""
        while len(self.siblings) < min(draws, self.most):
            self.siblings.append(self.look(self.rng))

    @cached_property
    def double(self) -> Reaction | None:
        """The same reaction about what is seen in float64, which moves as much with one ulp; None where that cannot be.

        It is held in the dtype of what was seen, whose spacing is less than any floor.
        """
        seen = self.look_in_double()
        if seen is None or any(key not in seen or seen[key].shape != array.shape for key, array in self.seen.items()):
            return None
        exact = {key: seen[key].astype(array.dtype) for key, array in self.seen.items()}

        def look(rng: np.random.Generator | None) -> Observation:
            return exact if rng is None else _Shifted(exact, self.seen, self.look(rng))

        double = Reaction(look, self.rng, most=self.most)
        double.siblings = [_Shifted(exact, self.seen, sibling) for sibling in self.siblings]
        return double

    def moves(self, key: str) -> list[Array]:
        """How far each sibling moved this tensor."""
        reference = self.seen[key].astype(np.float64)
        siblings = [sibling[key].astype(np.float64) for sibling in self.siblings]
        return [_shifted(np.zeros(reference.shape), reference, one) for one in siblings]


class Distance(NamedTuple):
    """Floors between a tensor and its twin; whether float64 decides that they are apart, few as they may be."""

    times: float
    in_double: bool = False


def distance(
    left: Reaction, left_key: str, right: Reaction, right_key: str, to_left: Callable[[Array], Array] = np.asarray
) -> Distance:
    """The distance between a tensor on the left and its twin on the right; to_left gives that the left one's layout.

    Where the left side's first siblings leave it above rounding, float64 decides. Where a side cannot compute in float64, more
    siblings are measured, and the right side's own, since a program may react more to rounding than its twin without
    being another.
    """
    left.grow(floor.DRAWS)
    times = _times(left, left_key, to_left(right.seen[right_key]))
    if not floor.ROUNDING <= times < floor.CLEAR:
        return Distance(times)
    exact = left.double or left, right.double or right
    apart = _times(exact[0], left_key, to_left(exact[1].seen[right_key]))
    if apart < floor.ROUNDING:
        return Distance(apart)
    right.grow(floor.DRAWS)
    moves = [to_left(move) for move in right.moves(right_key)]
    if left.double and right.double:
        # a constant may be of float32 there too, as Keras's beta_2 is
        apart = min(apart, _times_by(moves, exact[0], left_key, to_left(exact[1].seen[right_key])))
        return Distance(apart, in_double=apart >= max(floor.ROUNDING, times / 2))
    left.grow(floor.MORE_DRAWS)
    other = to_left(right.seen[right_key])
    return Distance(min(_times(left, left_key, other), _times_by(moves, left, left_key, other)))


def _times_by(moves: Sequence[Array], side: Reaction, key: str, other: Array) -> float:
    """The distance in floors of the other side, whose own moves these are."""
    with np.errstate(invalid="ignore"):
        lent = [side.seen[key].astype(np.float64) + move for move in moves]
    return floor.times_floor(side.seen[key], lent, other)


def _times(side: Reaction, key: str, other: Array) -> float:
    return floor.times_floor(side.seen[key], [sibling[key] for sibling in side.siblings], other)


class _Shifted(Mapping[str, Array]):
    """What float64 gives, moved as a sibling is from what was seen; made when it is asked for, since there is much of it."""

    def __init__(self, exact: Observation, seen: Observation, sibling: Observation) -> None:
        self._exact, self._seen, self._sibling = exact, seen, sibling

    def __getitem__(self, key: str) -> Array:
        return _shifted(self._exact[key], self._seen[key], self._sibling[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)


def _shifted(array: Array, seen: Array, sibling: Array) -> Array:
    """An array moved, in float64, as the sibling was from what was seen.

    A place that stays NaN or infinite has not moved, where subtraction would make it NaN.
    """
    with np.errstate(invalid="ignore"):
        move = sibling.astype(np.float64) - seen.astype(np.float64)
        moved: Array = array + np.where(_same(sibling, seen), 0.0, move)
        return moved


def watch_passes(worker: Worker, state: State, batch: Batch) -> Look:
    """Look at forward passes in both modes, loss, gradients and step metrics at this state on this batch."""

    def look(rng: np.random.Generator | None) -> Observation:
        here, x = _moved_start(state, batch, rng)
        worker.ask("state", values=here)
        step = worker.ask("gradients", x=x, y=batch["y"])
        seen = {"loss|loss": np.asarray(step["loss"])}
        seen.update(_keyed("gradients", step["gradients"]))
        seen.update(
            {f"metrics|{name}": np.asarray(np.mean(value), np.float32) for name, value in step["metrics"].items()}
        )
        for mode in ("training", "inference"):
            passed = worker.ask("forward", x=x, training=mode == "training", activations=False)
            seen.update(_keyed(f"outputs {mode}", passed["outputs"]))
        return seen

    return look


def watch_layers(worker: Worker, state: State, batch: Batch, mode: str) -> Look:
    """Look at what every layer gives in one mode, at this state on this batch."""

    def look(rng: np.random.Generator | None) -> Observation:
        here, x = _moved_start(state, batch, rng)
        worker.ask("state", values=here)
        return _keyed("activations", worker.ask("forward", x=x, training=mode == "training")["activations"])

    return look


def watch_update(worker: Worker, state: State, gradients: dict[str, Array], batch: Batch, storing: bool = True) -> Look:
    """Look at the optimizer's update and new slots, given these gradients at this state.

    storing: whether siblings are moved by what storing the new parameters rounds too.
    """

    def look(rng: np.random.Generator | None) -> Observation:
        here = state if rng is None else floor.moved_tree(state, rng)
        given = gradients if rng is None else floor.moved_tree(gradients, rng)
        worker.ask("state", values=here)
        with settings_moved(worker, rng):
            return _after(here, worker.ask("update", gradients=given, **batch), rng if storing else None)

    return look


def watch_updates(worker: Worker, state: State, gradients: Sequence[dict[str, Array]], batch: Batch) -> Look:
    """Look at what the last of several updates changes, each from where the one before led."""

    def look(rng: np.random.Generator | None) -> Observation:
        seen: dict[str, Array] = {}
        here = state if rng is None else floor.moved_tree(state, rng)
        with settings_moved(worker, rng):
            for one in gradients:
                worker.ask("state", values=here)
                before, here = (
                    here,
                    worker.ask("update", gradients=one if rng is None else floor.moved_tree(one, rng), **batch),
                )
                seen = {key: value for key, value in _after(before, here, rng).items() if key.startswith("update|")}
        return seen

    return look


def watch_step(worker: Worker, state: State, batch: Batch, move_settings: bool) -> Look:
    """Look at what one whole training step of the program's own loop changes."""

    def look(rng: np.random.Generator | None) -> Observation:
        here, x = _moved_start(state, batch, rng)
        worker.ask("state", values=here)
        with settings_moved(worker, rng if move_settings else None):
            return _after(here, worker.ask("step", x=x, y=batch["y"]), rng)

    return look


def watch_evaluation(worker: Worker, state: State, rows: int, batch_size: int) -> Look:
    """Look at loss and metrics of an evaluation of the first rows, by the program's own loop."""

    def look(rng: np.random.Generator | None) -> Observation:
        worker.ask("state", values=state if rng is None else floor.moved_tree(state, rng))
        found = worker.ask("evaluate", rows=rows, batch_size=batch_size)
        return {f"evaluation|{name}": np.asarray(value, np.float32) for name, value in found.items()}

    return look


@contextmanager
def settings_moved(worker: Worker, rng: np.random.Generator | None) -> Iterator[None]:
    """For the time of the block, the optimizer's settings are moved by one ulp; left as they are without a generator."""
    if rng is None:
        yield
        return
    settings = worker.ask("settings")
    worker.ask("settings", values=floor.moved_settings(settings, rng))
    yield
    worker.ask("settings", values={name: entry["value"] for name, entry in settings.items()})


def borrow_moves(step: Reaction, update: Reaction) -> None:
    """Let a step's siblings include how its settings' rounding moves the update.

    Settings are constants in a compiled step, so they are moved in the update alone, where that costs nothing.
    """
    step.grow(floor.DRAWS)
    moves = {key: update.moves(key) for key in step.seen if key in update.seen}
    for number in range(len(update.siblings)):
        moved = {key: step.seen[key] + moves[key][number] for key in moves}
        step.siblings.append({**step.seen, **moved})


def _same(one: Array, other: Array) -> Array:
    same: Array = (one == other) | (np.isnan(one) & np.isnan(other))
    return same


def _moved_start(state: State, batch: Batch, rng: np.random.Generator | None) -> tuple[State, Array]:
    return (state, batch["x"]) if rng is None else (floor.moved_tree(state, rng), floor.moved(batch["x"], rng))


def _after(before: State, after: State, rng: np.random.Generator | None) -> Observation:
    """Updates (new minus old, in float64) of parameters, and new slots, buffers and counters."""
    seen = {
        f"update|{name}": value.astype(np.float64) - before["parameters"][name] + _storing(value, rng)
        for name, value in after["parameters"].items()
    }
    for group in ("slots", "buffers", "counters"):
        seen.update(_keyed(group, after[group]))
    return seen


def _storing(value: Array, rng: np.random.Generator | None) -> Array:
    """For a sibling, what rounding a new value to its dtype may do: half an ulp. Old values that move by whole ulps leave it."""
    if rng is None:
        return np.zeros(value.shape)
    return rng.choice((-0.5, 0.5), value.shape) * np.spacing(np.abs(value))


def _keyed(kind: str, entries: Mapping[str, Any]) -> Observation:
    return {f"{kind}|{name}": np.asarray(value) for name, value in entries.items()}
