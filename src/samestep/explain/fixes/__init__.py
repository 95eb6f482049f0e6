"""The line that makes one side do as the other, in its own framework's words."""

from collections.abc import Callable
from typing import Any

from samestep.explain.case import Case

Line = Callable[[str, int], str]
"""The line for one side, 0 or 1, in its framework."""


def both_ways(case: Case, line: Line) -> str:
    """The line for the right side, to do as the left, and the reverse."""
    left, right = case.frameworks
    return f"right: {line(right, 1)}; or left: {line(left, 0)}"


def shown(value: Any) -> str:
    """A setting as it is written in a line of code."""
    return f"{value:g}" if isinstance(value, float) else str(value)
