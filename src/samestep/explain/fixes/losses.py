"""The line that makes one side's loss do as the other's, in its own framework's words."""

from __future__ import annotations

from typing import Any

from samestep.explain.case import Case
from samestep.explain.fitting import Fit
from samestep.explain.fixes import both_ways, shown
from samestep.results import Cause


def loss_line(framework: str, fit: Fit, setting: str, other: Fit) -> str:
    """The line that gives a loss of this framework, which does as `fit`, a setting of the other one."""
    return f"loss with {setting} = {shown(other.settings.get(setting))}"


def loss_cause(case: Case, difference: tuple[str, Any, Any], pair: tuple[Fit, Fit]) -> Cause:
    """A confirmed setting in which the losses differ, with the line for either side."""
    setting, left, right = difference
    frameworks = [described["framework"] for described in case.sides.described]
    lines = (
        loss_line(frameworks[1], pair[1], setting, pair[0]),
        loss_line(frameworks[0], pair[0], setting, pair[1]),
    )
    return Cause("loss", setting, left, right, True, both_ways(*lines))
