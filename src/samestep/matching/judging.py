"""From distances in floors to the verdict of a stage and of the whole match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from samestep.matching.floor import verdict
from samestep.results import SAME, SEVERITY, Difference, Stage, Verdict

FOLLOWS = {
    "loss": ("data", "forward"),
    "gradients": ("data", "forward", "loss"),
    "buffers": ("data", "forward"),
    "step": ("data", "forward", "loss", "gradients", "update", "schedule"),
    "metrics": ("data", "forward", "loss"),
    "free run": ("data", "forward", "loss", "gradients", "update", "step", "schedule", "buffers", "slots"),
}
"""Stages that cannot be blamed once one of these differs: their input differs already."""


@dataclass(frozen=True)
class Comparison:
    """One tensor or number on both sides: how many floors apart, and what each side has at the worst place.

    in_double: whether they are as far apart where both programs compute in float64.
    """

    name: str
    step: int | None
    times_floor: float
    left: Any = None
    right: Any = None
    in_double: bool = field(default=False, kw_only=True)

    @property
    def verdict(self) -> Verdict:
        """The verdict of its distance, or of float64 where that shows a distance to be no rounding."""
        return "different" if self.in_double else verdict(self.times_floor)


@dataclass(frozen=True)
class Judged:
    """A stage with the comparison that its verdict rests on."""

    stage: Stage
    worst: Comparison | None = None


def judge(stage: str, comparisons: Iterable[Comparison], note: str = "") -> Judged:
    """The verdict of a stage from its comparisons, which come in causal order.

    Named is the first comparison that differs, after which no other is made, else the first undecided one, else the
    one farthest apart.
    """
    compared = []
    for comparison in comparisons:
        compared.append(comparison)
        if comparison.verdict == "different":
            break
    if not compared:
        return Judged(Stage(stage, "undecided", note=note or "nothing was compared"))
    worst = max(SEVERITY[c.verdict] for c in compared)
    candidates = [c for c in compared if SEVERITY[c.verdict] == worst]
    named = candidates[0] if worst >= SEVERITY["undecided"] else max(candidates, key=lambda c: c.times_floor)
    note = "; ".join(part for part in (note, "stays in float64" if named.in_double else "") if part)
    found = Stage(stage, named.verdict, named.times_floor, named.name, named.step, note)
    return Judged(found, named)


def nothing_to_compare(stage: str, note: str) -> Judged:
    """A stage that neither side has, which makes them equal in it."""
    return Judged(Stage(stage, "identical", None, note=note))


def not_compared(stage: str, note: str) -> Judged:
    """A stage that could not be compared, which never counts as equal."""
    return Judged(Stage(stage, "undecided", None, note=note))


def doubtful(judged: Judged) -> bool:
    """Whether a stage differs, or is too far apart to be rounding and too near to be called different."""
    stage = judged.stage
    unclear = stage.verdict == "undecided" and stage.times_floor is not None and not stage.note.startswith("follows")
    return stage.verdict == "different" or unclear


def follows(stage: str, judged: Sequence[Judged]) -> str:
    """The first stage already judged different from which this one's difference would follow, or nothing."""
    differing = [entry.stage.stage for entry in judged if entry.stage.verdict == "different"]
    return next((source for source in FOLLOWS.get(stage, ()) if source in differing), "")


def blame(judged: Sequence[Judged]) -> list[Judged]:
    """The stages with those that only follow from an earlier difference marked so, as undecided."""
    result: list[Judged] = []
    for entry in judged:
        stage, source = entry.stage, follows(entry.stage.stage, result)
        if source and stage.verdict not in SAME:
            note = f"follows from {source}"
            entry = Judged(replace(stage, verdict="undecided", note=note), entry.worst)
        result.append(entry)
    return result


def overall(judged: Sequence[Judged]) -> Verdict:
    """The worst verdict of all stages."""
    return max((entry.stage.verdict for entry in judged), key=lambda v: SEVERITY[v], default="undecided")


def first_difference(judged: Sequence[Judged]) -> Difference | None:
    """The first stage, in causal order, that differs."""
    for entry in judged:
        if entry.stage.verdict == "different":
            stage, worst = entry.stage, entry.worst
            left, right = (worst.left, worst.right) if worst else (None, None)
            return Difference(stage.stage, stage.name, stage.step, stage.times_floor, left, right)
    return None


def worst_element(name: str, left: Any, right_name: str, right: Any) -> tuple[Any, Any]:
    """What each side has where they are farthest apart: a number, or tensor, index and value."""
    one, other = np.asarray(left), np.asarray(right)
    if one.shape != other.shape:
        return {"tensor": name, "shape": list(one.shape)}, {"tensor": right_name, "shape": list(other.shape)}
    if one.size == 1:
        return _scalar(one), _scalar(other)
    with np.errstate(invalid="ignore"):
        gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
    gap = np.where(np.isfinite(gap), gap, np.where(np.isfinite(one) == np.isfinite(other), 0, np.inf))
    index = [int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape)]
    return (
        {"tensor": name, "index": index, "value": _scalar(one[tuple(index)])},
        {"tensor": right_name, "index": index, "value": _scalar(other[tuple(index)])},
    )


def _scalar(value: Any) -> float | int:
    item = np.asarray(value).reshape(-1)[0].item()
    return item if isinstance(item, int) else float(item)
