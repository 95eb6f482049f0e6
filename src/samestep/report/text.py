"""Results as text for a terminal, and as plain text where there is none; and the progress display."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from samestep.results import Cause, Difference, Epoch, MatchResult, MatchTable, Side, Stage, Verdict

STYLES: dict[Verdict, str] = {"identical": "green", "rounding": "green", "different": "bold red", "undecided": "yellow"}
SENTENCES: dict[Verdict, str] = {
    "identical": "the two programs train the same network, bit for bit in all that was compared.",
    "rounding": "the two programs train the same network, apart from rounding.",
    "different": "the two programs do not train the same network.",
    "undecided": "no difference is proved, but not everything could be compared.",
}
PLAIN_WIDTH = 110
MOST_EPOCHS = 12
"""Rows of the table of epochs."""


def show(report: RenderableType) -> None:
    """Print on standard output, with colour on a terminal only."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, color_system=None, width=PLAIN_WIDTH)
    console.print(report)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on standard error while the work lasts; nothing where that is no terminal."""
    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda doing, fraction: bar.update(task, description=doing, completed=fraction)


def match_report(result: MatchResult) -> Group:
    """Verdict first, then the first difference, the stages in floors, and the table of the epochs."""
    parts: list[RenderableType] = [_verdict(result), Text()]
    if result.first_difference is not None:
        parts += [_first_difference(result.first_difference), Text()]
    for cause in result.causes:
        parts += [_cause(cause), Text()]
    parts.append(_stages(result.stages))
    if result.epochs:
        parts += [Text(), _epochs(result.epochs)]
    return Group(*parts)


def match_table(table: MatchTable) -> Group:
    """One row a match: each framework against the first, the stage farthest apart, and the last epoch's figures."""
    first = table.matches[0].left
    head = Text.assemble((table.verdict.upper(), STYLES[table.verdict]), f"  each against {_side(first)}\n")
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("program", "verdict", "× floor", "stage", "where", "loss", "accuracy"):
        rows.add_column(
            column, justify="right" if column in ("× floor", "loss", "accuracy") else "left", overflow="fold"
        )
    last = table.matches[0].epochs[-1].left if table.matches[0].epochs else {}
    rows.add_row(first.program, "", "", "", "", *_last(last))
    for result in table.matches:
        told = result.first_difference or max(result.stages, key=lambda stage: stage.times_floor or 0.0)
        verdict = Text(result.verdict, style=STYLES[result.verdict])
        where = f"{told.name or ''}" + (f", step {told.step}" if told.step is not None else "")
        shown = _last(result.epochs[-1].right if result.epochs else {})
        rows.add_row(result.right.program, verdict, _floors(told.times_floor), told.stage, where, *shown)
    return Group(head, rows)


def _last(figures: dict[str, float]) -> tuple[str, str]:
    """Loss and first metric of the last epoch."""
    metric = next((value for name, value in figures.items() if name != "loss"), None)
    return (f"{figures['loss']:.6f}" if "loss" in figures else "", "" if metric is None else f"{metric:.6f}")


def _verdict(result: MatchResult) -> Text:
    text = Text()
    text.append(result.verdict.upper(), style=STYLES[result.verdict])
    text.append(f"  {SENTENCES[result.verdict]}\n")
    text.append(f"  left   {_side(result.left)}\n  right  {_side(result.right)}\n", style="dim")
    text.append(
        f"  data   {result.data}, batches of {result.batch_size}, {result.steps} steps, seed {result.seed}", style="dim"
    )
    return text


def _side(side: Side) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in side.versions.items())
    return f"{side.program}  ({versions})"


def _first_difference(difference: Difference) -> Text:
    where = f" at step {difference.step}" if difference.step is not None else ""
    text = Text()
    text.append("First difference: ", style="bold")
    text.append(f"{difference.stage}{where}, {difference.name}, {_floors(difference.times_floor)}\n")
    text.append(f"  left   {_value(difference.left)}\n  right  {_value(difference.right)}")
    return text


def _cause(cause: Cause) -> Text:
    text = Text()
    text.append("Cause: " if cause.confirmed else "Suspected: ", style="bold")
    text.append(f"{cause.component} {cause.setting.replace('_', ' ')}: {_value(cause.left)} | {_value(cause.right)}\n")
    text.append("\n".join(f"  {line}" for line in cause.fix.split("; or ")))
    return text


def _stages(stages: tuple[Stage, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, justify in (
        ("stage", "left"),
        ("verdict", "left"),
        ("× floor", "right"),
        ("step", "right"),
        ("where", "left"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for stage in stages:
        table.add_row(
            stage.stage,
            Text(stage.verdict, style=STYLES[stage.verdict]),
            "" if stage.times_floor is None else _figure(stage.times_floor),
            "" if stage.step is None else str(stage.step),
            "; ".join(part for part in (stage.name, stage.note) if part),
        )
    return table


def _epochs(epochs: tuple[Epoch, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("epoch", justify="right")
    for name in epochs[0].left:
        for heading in (f"{name} left", "right", "± spread"):
            table.add_column(heading, justify="right")
    for row in _spread(epochs):
        cells = (
            cell
            for name in row.left
            for cell in (_mean(row.left[name]), _mean(row.right.get(name)), f"{row.spread.get(name, math.nan):.1e}")
        )
        table.add_row(str(row.epoch), *cells)
    return table


def _spread(epochs: tuple[Epoch, ...]) -> list[Epoch]:
    """The epochs, or as many as a screen holds, from the first to the last; the JSON has them all."""
    count = min(len(epochs), MOST_EPOCHS)
    return [epochs[round(number * (len(epochs) - 1) / max(count - 1, 1))] for number in range(count)]


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.6f}"


def _floors(times: float | None) -> str:
    if times is None:
        return "not measured"
    return "beyond any floor" if math.isinf(times) else f"{_figure(times)} floors"


def _figure(times: float) -> str:
    if math.isinf(times):
        return "∞"
    return f"{times:.2f}" if times < 100 else f"{times:,.0f}"


def _value(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        place = ", ".join(str(i) for i in value["index"])
        return f"{value['value']:.9g}  ({value['tensor']}[{place}])"
    if isinstance(value, float):
        return f"{value:.9g}"
    return value if isinstance(value, str) else json.dumps(value)
