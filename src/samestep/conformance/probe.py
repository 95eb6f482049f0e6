"""One program in a worker, with what the facts need to know of it: its states, its batches, its rounding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.frameworks import _rows
from samestep.matching import floor
from samestep.worker.parent import Worker

Array = NDArray[Any]
State = dict[str, dict[str, Array]]
Arrays = dict[str, Any]
"""Arrays and numbers by name; within a state the name is that of the group and its own."""

HELD = ("parameters", "buffers", "slots", "counters", "generators")
"""The groups of a state that mean the same everywhere; what is private only its own adapter understands."""
WITHOUT_GENERATORS = HELD[:-1]
LEARNED = ("parameters", "buffers", "slots")
AFTER_A_WHILE = 1000
"""A step that no check trains to."""


class NotShown(Exception):  # noqa: N818 - no error: the program does not show what a fact is about
    """Why this program cannot show whether a fact holds."""


class Probe:
    """A loaded program. start: its state after build(); settings: those after build(); rows: all its data, as it wants it."""

    def __init__(self, worker: Worker, batch_size: int, unused: Collection[str]) -> None:
        self.ask, self.batch_size, self.unused = worker.ask, batch_size, unused
        self.rng = np.random.default_rng(0)
        self.adapter, self.described = self.ask("adapter"), self.ask("describe")
        self.start: State = self.ask("state")
        self.settings = self.ask("settings")
        self.rows = self.ask("rows", start=0, stop=None)
        self.count = _rows.count(self.rows["x"])
        self.precision = (
            "float64" if "float64" in [entry["dtype"] for entry in self.described["parameters"]] else "float32"
        )

    def start_again(self) -> None:
        """Put the program where it was after build()."""
        self.put(self.start)
        self.ask("settings", values=self.numbers)

    def put(self, state: Mapping[str, Mapping[str, Array]]) -> None:
        """Write a state."""
        self.ask("state", values=state)

    @property
    def numbers(self) -> dict[str, float]:
        """The settings after build(), without their precision."""
        return {name: entry["value"] for name, entry in self.settings.items()}

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The batches of an epoch, the last one partial."""
        starts = range(0, self.count, self.batch_size)
        return [
            {name: _rows.take(rows, slice(i, i + self.batch_size)) for name, rows in self.rows.items()} for i in starts
        ]

    @cached_property
    def trained(self) -> State:
        """The state after an epoch from the start."""
        self.start_again()
        return self.train()

    def train(self) -> State:
        """Train an epoch by the program's own loop, from where it is; returns the state after it."""
        self.ask("train", batch_size=self.batch_size, steps=len(self.parts))
        state: State = self.ask("state")
        return state

    def step(self, number: int = 0) -> State:
        """The state after one step on this batch of the epoch; the program stays where it is."""
        state: State = self.ask("step", **self.parts[number])
        return state

    def walk(self) -> list[State]:
        """The states before and after each step of an epoch, made one by one from where the program is."""
        states = [self.ask("state")]
        for number in range(len(self.parts)):
            states.append(self.step(number))
            self.put(states[-1])
        return states

    def lacking(self, aspect: str) -> str:
        """Why the program does not show this by itself, or nothing."""
        return str(self.described["lacks"].get(aspect, ""))

    def looks(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Every observing request: {what it is called in a sentence: (request, its arguments)}."""
        rows = self.parts[0]
        looks: dict[str, tuple[str, dict[str, Any]]] = {
            "describe": ("describe", {}),
            "forward in inference mode": ("forward", {"x": rows["x"], "training": False}),
            "forward in training mode": ("forward", {"x": rows["x"], "training": True}),
            "gradients": ("gradients", rows),
            "train, for one step that is taken back,": ("step", rows),
            "evaluate": ("evaluate", {"rows": self.count, "batch_size": self.batch_size}),
            "batches": ("batches", {"batch_size": self.batch_size, "epochs": 2, "keep": 1}),
            "settings": ("settings", {}),
            "settings at other steps": ("rates", {"steps": [0, 1, AFTER_A_WHILE]}),
        }
        if not self.lacking("update"):
            gradients = self.ask("gradients", **rows)["gradients"]
            looks["update"] = ("update", {"gradients": gradients, **rows})
        return looks

    def apart(self, look: Callable[[], Arrays], other: Arrays, state: State) -> list[str]:
        """Names of what in `other` is farther than rounding from what look() sees in this state.

        Rounding is measured as in a match: how far what look() sees moves when what it reads moves by ±1 ulp.
        """
        reference = self._seen(look, state)
        names = unequal(reference, other)
        if not names or reference.keys() != other.keys():
            return names
        siblings = [self._seen(look, self._moved(state)) for _ in range(floor.DRAWS)]
        self.put(state)
        return [name for name in names if self._times_floor(name, reference, siblings, other) >= floor.ROUNDING]

    def _seen(self, look: Callable[[], Arrays], state: State) -> Arrays:
        self.put(state)
        return look()

    def _moved(self, state: State) -> State:
        return {**state, **{group: floor.moved_tree(state[group], self.rng) for group in LEARNED}}

    def _times_floor(self, name: str, reference: Arrays, siblings: Sequence[Arrays], other: Arrays) -> float:
        near = [np.asarray(sibling[name]) for sibling in siblings]
        return floor.times_floor(np.asarray(reference[name]), near, np.asarray(other[name]), self.precision)


def flat(tree: Any, name: str = "") -> Arrays:
    """The arrays and numbers of a nested answer, by the names that lead to them."""
    if isinstance(tree, Mapping):
        return {
            key: leaf for part, value in tree.items() for key, leaf in flat(value, f"{name} {part}".strip()).items()
        }
    if isinstance(tree, list) and any(isinstance(item, (Mapping, list)) for item in tree):
        return flat({str(i): item for i, item in enumerate(tree)}, name)
    return {name: tree}


def held(state: State, groups: Iterable[str] = HELD) -> Arrays:
    """These groups of a state, flat."""
    return flat({group: state.get(group, {}) for group in groups})


def unequal(one: Any, other: Any) -> list[str]:
    """Names of what is not the same on both sides, in dtype, shape and every bit."""
    one, other = flat(one), flat(other)
    return [name for name in {**one, **other} if _bits(one.get(name)) != _bits(other.get(name))]


def _bits(value: Any) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(value)
    return array.dtype.str, array.shape, repr(value).encode() if array.dtype.kind == "O" else array.tobytes()


def listed(names: Sequence[str]) -> str:
    """Some of the names, for a sentence."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
