"""Results of repeats as text."""

from __future__ import annotations

from rich.console import RenderableType

from samestep.results import RepeatResult


def repeat_report(result: RepeatResult) -> RenderableType:
    """The answer in plain words, then a row a group and a row a comparison."""
    raise NotImplementedError
