"""Results of repeats as text."""

from __future__ import annotations

import math

import numpy as np
from rich import box
from rich.console import Group as Parts
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from samestep.results import Comparative, Comparison, Group, RepeatResult

STYLES: dict[Comparative, str] = {
    "better": "green",
    "equivalent": "green",
    "worse": "bold red",
    "not enough evidence": "yellow",
}
BARS = " ▁▂▃▄▅▆▇█"
"""Of the histogram, from no value to as many as the fullest bin of the group has."""
BINS = 24


def repeat_report(result: RepeatResult) -> Parts:
    """The answer in plain words, then a row a group and a row a comparison."""
    parts: list[RenderableType] = []
    for comparison in result.comparisons:
        parts += [_answer(comparison), Text()]
    better = "higher" if result.higher_is_better else "lower"
    parts += [Text(f"{result.metric}: {better} is better", style="dim"), Text(), _groups(result)]
    if result.comparisons:
        parts += [Text(), _comparisons(result)]
    notes = [f"{group.name}: {group.note}." for group in result.groups if group.note]
    if result.note:
        notes.append(result.note)
    parts += [Text(), Text("\n".join(notes))] if notes else []
    return Parts(*parts)


def _answer(comparison: Comparison) -> Text:
    said = comparison.note.removeprefix("Not enough evidence: ")
    return Text.assemble((comparison.verdict.upper(), STYLES[comparison.verdict]), f"  {said}")


def _table(*columns: str | Text) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _groups(result: RepeatResult) -> Table:
    """Figures of each group, and its histogram on an axis that all share."""
    values = [value for group in result.groups for value in group.finite]
    axis = (min(values), max(values)) if values else (0.0, 0.0)
    ends = f"{_figure(axis[0])} … {_figure(axis[1])}"
    table = _table("program", "seeds", "mean", "95 % interval", "std", "lowest", "highest", ends)
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", True
    for group in result.groups:
        table.add_row(Text(group.name), *_row(group), _histogram(group.finite, axis))
    return table


def _row(group: Group) -> tuple[str, ...]:
    finite = group.finite
    lost = len(group.seeds) - len(finite)
    extremes = (min(finite), max(finite)) if finite else (math.nan, math.nan)
    seeds = f"{len(group.seeds)}, {lost} lost" if lost else str(len(group.seeds))
    return (seeds, _figure(group.mean), _interval(group.ci95), _figure(group.std), *map(_figure, extremes))


def _histogram(values: tuple[float, ...], axis: tuple[float, float]) -> str:
    if not values:
        return ""
    width = (axis[1] - axis[0]) or 1.0
    counts = np.bincount([min(int(BINS * (value - axis[0]) / width), BINS - 1) for value in values], minlength=BINS)
    return "".join(BARS[math.ceil((len(BARS) - 1) * count / counts.max())] for count in counts)


def _comparisons(result: RepeatResult) -> Table:
    table = _table(
        Text(f"against {result.groups[0].name}"),
        "difference",
        "95 % interval",
        "p",
        "beats it in",
        "effect",
        "seeds needed",
    )
    for comparison in result.comparisons:
        effect = comparison.effect_size
        table.add_row(
            Text(f"{comparison.right}{', by seed' if comparison.paired else ''}"),
            _figure(comparison.difference),
            _interval(comparison.ci95),
            f"{comparison.p_value:.2g}",
            "–"
            if math.isnan(comparison.probability_of_improvement)
            else f"{comparison.probability_of_improvement:.0%}",
            "–" if effect is None else f"{effect:.2f}",
            "–" if comparison.repeats_needed is None else f"{comparison.repeats_needed:,}",
        )
    return table


def _interval(ends: tuple[float, float]) -> str:
    return " to ".join(map(_figure, ends)) if all(map(math.isfinite, ends)) else "–"


def _figure(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"
