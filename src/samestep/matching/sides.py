"""The two programs of a match, put into the same state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching.aligning import Alignment, Group
from samestep.worker.parent import Worker

Array = NDArray[Any]
State = dict[str, dict[str, Array]]


@dataclass
class Sides:
    """Both workers, what they said of themselves, which tensor is which, and the left learning rate."""

    left: Worker
    right: Worker
    described: tuple[dict[str, Any], dict[str, Any]]
    parameters: Alignment
    buffers: Alignment
    rate: float = float("nan")

    def ask(self, do: str, **arguments: Any) -> tuple[Any, Any]:
        """Ask both the same, at once."""
        return ask_both(self.left, self.right, do, arguments, arguments)

    def to_right(self, state: State) -> State:
        """The left state as the right program holds it; its private parts follow from the step."""
        moved: State = {
            "parameters": self.parameters.to_right(state["parameters"]),
            "buffers": self.buffers.to_right(state["buffers"]),
            "slots": {k: v for slots in self.slot_groups for k, v in slots.to_right(state["slots"]).items()},
        }
        generators = self._generators_to_right(state)
        if generators:
            moved["generators"] = generators
        if state["counters"].get("step", -1) >= 0:
            moved["counters"] = {"step": state["counters"]["step"]}
        return moved

    def to_left(self, state: State) -> State:
        """Parameters, slots and buffers of the right state, as the left program holds them."""
        return {
            "parameters": self.parameters.to_left(state["parameters"]),
            "slots": self._slots_to_left(state["slots"]),
            "buffers": self.buffers.to_left(state["buffers"]),
        }

    def seen_as_left(self, seen: Mapping[str, Array]) -> dict[str, Array]:
        """An observation of the right side under the names and in the layouts of the left one, as far as it has twins."""
        kinds: dict[str, dict[str, Array]] = {}
        for key, value in seen.items():
            kind, _, name = key.partition("|")
            kinds.setdefault(kind, {})[name] = value
        moved: dict[str, Callable[[dict[str, Array]], dict[str, Array]]] = {
            "gradients": self.parameters.to_left,
            "update": self.parameters.to_left,
            "buffers": self.buffers.to_left,
            "slots": self._slots_to_left,
        }
        for kind in kinds.keys() & moved.keys():
            kinds[kind] = moved[kind](kinds[kind])
        return {f"{kind}|{name}": value for kind, entries in kinds.items() for name, value in entries.items()}

    def right_name(self, name: str) -> str:
        """What the right side calls the twin of a left parameter, buffer or slot."""
        role, _, tensor = name.rpartition("|")
        twin = self._right_names.get(tensor, tensor)
        return f"{role}|{twin}" if role else twin

    @cached_property
    def _right_names(self) -> dict[str, str]:
        return {**self.parameters.right_names, **self.buffers.right_names}

    @cached_property
    def slot_groups(self) -> list[SlotGroup]:
        """Slots that hold the same on both sides, up to a factor."""
        left, right = ({entry["name"]: entry["shape"] for entry in side["slots"]} for side in self.described)
        roles = list(dict.fromkeys(name.split("|")[0] for name in left))
        return [
            found
            for role in roles
            for group in self.parameters.groups
            for twin_role, factor in ((role, 1.0), *self._converted(role))
            if (found := _slot_group(role, twin_role, group, factor, left, right)) is not None
        ]

    def _slots_to_left(self, slots: dict[str, Array]) -> dict[str, Array]:
        return {key: value for group in self.slot_groups for key, value in group.to_left(slots).items()}

    def slots_pair(self) -> bool:
        """Whether the right side can be put into any state of the left one's optimizer."""
        return not any(self.unpaired_slots())

    def unpaired_slots(self) -> tuple[list[str], list[str]]:
        """Roles of slots that only one side has."""
        groups = self.slot_groups
        paired = {n for slots in groups for n in slots.left}, {n for slots in groups for n in slots.right}
        over = [
            sorted({entry["name"].split("|")[0] for entry in side["slots"] if entry["name"] not in known})
            for side, known in zip(self.described, paired, strict=True)
        ]
        return over[0], over[1]

    def lacking(self, what: str) -> str:
        """Why this cannot be observed on one of the sides, or nothing."""
        return next((side["lacks"][what] for side in self.described if what in side.get("lacks", {})), "")

    def _converted(self, role: str) -> list[tuple[str, float]]:
        """Roles that hold the same times a factor: momentum with the learning rate inside or outside."""
        if not np.isfinite(self.rate):
            return []  # unknown
        families = (
            {"momentum": 1.0, "rated_momentum": -self.rate},
            {"unrated_update": 1.0, "rated_update": self.rate, "negative_rated_update": -self.rate},
        )
        sizes: dict[str, float] = next((family for family in families if role in family), {})
        return [(other, _ratio(size, sizes[role])) for other, size in sizes.items() if other != role]

    def _generators_to_right(self, state: State) -> dict[str, Array]:
        """States of random generators, where both sides have the same ones in the same order; else each keeps its own."""
        left, right = (side.get("generators", []) for side in self.described)
        kinds = [
            [(side["framework"], entry["shape"], entry["dtype"]) for entry in entries]
            for side, entries in zip(self.described, (left, right), strict=True)
        ]
        if kinds[0] != kinds[1]:
            return {}
        return {b["name"]: state["generators"][a["name"]] for a, b in zip(left, right, strict=True)}


@dataclass(frozen=True)
class SlotGroup:
    """Left optimizer slots and the right ones that hold the same times a factor, for one group of parameters.

    group: how their elements lie; None for slots of another shape than their parameter's, which are handed on as they are.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    group: Group | None
    factor: float

    def to_right(self, slots: Mapping[str, Array]) -> dict[str, Array]:
        """The left slots as the right program holds them."""
        scaled = [slots[name] * np.asarray(self.factor, slots[name].dtype) for name in self.left]
        if self.group is None:
            return dict(zip(self.right, scaled, strict=True))
        moved = self.group.to_right({t.name: a for t, a in zip(self.group.left, scaled, strict=True)})
        return {name: moved[tensor.name] for name, tensor in zip(self.right, self.group.right, strict=True)}

    def to_left(self, slots: Mapping[str, Array]) -> dict[str, Array]:
        """The right slots as the left program holds them."""
        scaled = [slots[name] / np.asarray(self.factor, slots[name].dtype) for name in self.right]
        if self.group is None:
            return dict(zip(self.left, scaled, strict=True))
        moved = self.group.to_left({t.name: a for t, a in zip(self.group.right, scaled, strict=True)})
        return {name: moved[tensor.name] for name, tensor in zip(self.left, self.group.left, strict=True)}


def _ratio(size: float, other: float) -> float:
    return size / other if other else 0.0


def _slot_group(
    role: str, twin_role: str, group: Group, factor: float, left: Mapping[str, Any], right: Mapping[str, Any]
) -> SlotGroup | None:
    names = tuple(f"{role}|{t.name}" for t in group.left), tuple(f"{twin_role}|{t.name}" for t in group.right)
    if not all(name in left for name in names[0]) or not all(name in right for name in names[1]):
        return None
    if all(
        tuple(shapes[name]) == tensor.shape
        for shapes, keys, tensors in ((left, names[0], group.left), (right, names[1], group.right))
        for name, tensor in zip(keys, tensors, strict=True)
    ):
        return SlotGroup(*names, group, factor)
    alike = len(names[0]) == len(names[1]) == 1 and list(left[names[0][0]]) == list(right[names[1][0]])
    return SlotGroup(*names, None, factor) if alike else None


def ask_both(
    left: Worker, right: Worker, do: str, to_left: dict[str, Any], to_right: dict[str, Any]
) -> tuple[Any, Any]:
    """Send to both, then wait for both, so that they work at the same time."""
    left.send(do, **to_left)
    right.send(do, **to_right)
    return left.receive(), right.receive()
