"""The two programs of a match, put into the same state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching.aligning import Alignment, Pair
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
        moved: State = {"parameters": {}, "buffers": {}, "slots": self._slots_to_right(state)}
        for group, alignment in (("parameters", self.parameters), ("buffers", self.buffers)):
            for pair in alignment.pairs:
                moved[group][pair.right] = pair.to_right(state[group][pair.left])
        generators = self._generators_to_right(state)
        if generators:
            moved["generators"] = generators
        if state["counters"].get("step", -1) >= 0:
            moved["counters"] = {"step": state["counters"]["step"]}
        return moved

    def gradients_to_right(self, gradients: dict[str, Array]) -> dict[str, Array]:
        """Gradients by left parameter as gradients by right parameter."""
        return {p.right: p.to_right(gradients[p.left]) for p in self.parameters.pairs if p.left in gradients}

    def slot_pairs(self) -> list[SlotPair]:
        """Slots that hold the same on both sides, up to a factor."""
        left_keys = [entry["name"] for entry in self.described[0]["slots"]]
        right_keys = {entry["name"] for entry in self.described[1]["slots"]}
        twins = {pair.left: pair for pair in self.parameters.pairs}
        found = []
        for key in left_keys:
            role, _, parameter = key.partition("|")
            for twin_role, factor in ((role, 1.0), *self._converted(role)):
                if parameter in twins and f"{twin_role}|{twins[parameter].right}" in right_keys:
                    found.append(SlotPair(key, f"{twin_role}|{twins[parameter].right}", twins[parameter], factor))
        return found

    def slots_pair(self) -> bool:
        """Whether the right side can be put into any state of the left one's optimizer."""
        return not any(self.unpaired_slots())

    def unpaired_slots(self) -> tuple[list[str], list[str]]:
        """Roles of slots that only one side has."""
        pairs = self.slot_pairs()
        paired = {pair.left for pair in pairs}, {pair.right for pair in pairs}
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
        factor = {
            "momentum": ("rated_momentum", -self.rate),
            "rated_momentum": ("momentum", -1 / self.rate if self.rate else 0.0),
        }
        return [factor[role]] if role in factor else []

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

    def _slots_to_right(self, state: State) -> dict[str, Array]:
        return {slot.right: slot.to_right(state["slots"][slot.left]) for slot in self.slot_pairs()}


@dataclass(frozen=True)
class SlotPair:
    """A left optimizer slot and the right one that holds the same times a factor."""

    left: str
    right: str
    pair: Pair
    factor: float

    def to_right(self, array: Array) -> Array:
        """The left slot as the right program holds it."""
        moved: Array = array * np.asarray(self.factor, array.dtype)
        return self.pair.to_right(moved) if self._shaped(moved) else moved

    def to_left(self, array: Array) -> Array:
        """The right slot as the left program holds it."""
        moved: Array = array / np.asarray(self.factor, array.dtype)
        return self.pair.to_left(moved) if self._shaped(moved) else moved

    def _shaped(self, array: Array) -> bool:
        """Whether it has its parameter's shape; Adafactor's rows and columns have not."""
        return array.ndim == len(self.pair.axes)


def ask_both(
    left: Worker, right: Worker, do: str, to_left: dict[str, Any], to_right: dict[str, Any]
) -> tuple[Any, Any]:
    """Send to both, then wait for both, so that they work at the same time."""
    left.send(do, **to_left)
    right.send(do, **to_right)
    return left.receive(), right.receive()
