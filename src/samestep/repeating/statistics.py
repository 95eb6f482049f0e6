"""What the values of many seeds say: each group's mean with its interval, and whether one group is better than another."""

from __future__ import annotations

from collections.abc import Mapping

from samestep.repeating.deciding import Look
from samestep.results import RepeatResult


def judge(
    metric: str,
    values: Mapping[str, Mapping[int, float]],
    *,
    failed: Mapping[str, Mapping[int, str]] = {},
    higher_is_better: bool | None = None,
    margin: float | None = None,
    power: float = 0.8,
    paired: bool | None = None,
    engine: str = "",
    seed: int = 0,
    look: Look | None = None,
) -> RepeatResult:
    """Summarise each group and compare each other one with the first.

    values: {group: {seed: value}}; a diverged training's value is NaN or infinite. failed: {group: {seed: error}}, trainings
    without a value. higher_is_better: None reads it from the metric's name. margin: a difference that does not matter, in the
    metric's own unit. paired: None pairs where values of the same seeds go together. seed: of the resampling. look: where
    seeds are added until it is decided, which look of deciding.plan this is.
    """
    raise NotImplementedError
