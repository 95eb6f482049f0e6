"""What an explanation starts from, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samestep.matching.judging import Comparison, Judged
from samestep.matching.sides import Sides, State
from samestep.results import Cause


@dataclass(frozen=True)
class Case:
    """Two programs that differ, still running, and what was seen of them.

    starts: their states before training; batches: {"x", "y"} of the first batch for either side. total: steps of the
    free run; steps_per_epoch; batch_size.
    """

    sides: Sides
    starts: tuple[State, State]
    batches: tuple[dict[str, Any], dict[str, Any]]
    judged: Sequence[Judged]
    total: int
    steps_per_epoch: int
    batch_size: int
    rng: np.random.Generator

    @property
    def frameworks(self) -> tuple[str, str]:
        """What the left and the right program are written in."""
        left, right = (str(described["framework"]) for described in self.sides.described)
        return left, right


@dataclass(frozen=True)
class Explanation:
    """The causes of one stage's difference; ruled_out: what reproduces neither side, or not both, where none was found."""

    causes: tuple[Cause, ...] = ()
    ruled_out: str = ""


Explainer = Callable[[Case, Comparison], Explanation]
"""Looks for the causes of a stage's difference; the comparison is the one that its verdict rests on."""
