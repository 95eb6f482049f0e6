"""The line that makes one side do as the other, in its own framework's words."""

from typing import Any


def both_ways(right: str, left: str) -> str:
    """The line for the right side, to do as the left, and the reverse."""
    return f"right: {right}; or left: {left}"


def shown(value: Any) -> str:
    """A setting as it is written in a line of code."""
    return f"{value:g}" if isinstance(value, float) else str(value)
