"""Recorded runs as text: what comparing two showed, and what one holds."""

from __future__ import annotations

import math
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from samestep.report.text import STYLES
from samestep.results import DiffResult, Growth, RunDifference, RunSide, Setting, Verdict
from samestep.runs.environments import versions
from samestep.runs.pairing import Rows, paired
from samestep.runs.reading import Run, updates

SENTENCES: dict[Verdict, str] = {
    "identical": "the two runs are the same training, bit for bit.",
    "different": "the two runs are not the same training, bit for bit.",
    "undecided": "no difference was found, but not everything could be compared.",
}
LOOKS = {
    "rounding": "it starts as small as a rounding and grows gradually",
    "jump": "it is no rounding: too large from the start, or another batch or number of steps",
    "unclear": "from norms and loss it cannot be told whether it began as a rounding",
}
BAR, FULL = 30, 2.0**23
"""Characters of the longest bar, and the ulps of a float32 that it stands for: as much as the number itself."""


def diff_report(result: DiffResult) -> Group:
    """Verdict first, then the first difference, what else differs there, the environments, and the growth."""
    parts: list[RenderableType] = [_verdict(result)]
    if result.first_difference is not None:
        parts += [Text(), _first_difference(result.first_difference, result)]
    for side, names in (("left", result.unpaired_left), ("right", result.unpaired_right)):
        parts += [Text(), Text(f"Only in the {side} run: {_listed(names)}")] if names else []
    if result.environment:
        parts += [Text(), Text("The environments differ:", style="bold"), _environment(result.environment)]
    if result.growth:
        parts += [Text(), _growth(result)]
    return Group(*parts)


def _verdict(result: DiffResult) -> Text:
    text = Text()
    text.append(result.verdict.upper(), style=STYLES[result.verdict])
    text.append(f"  {SENTENCES[result.verdict]}\n")
    text.append(f"  left   {_side(result.left)}\n  right  {_side(result.right)}\n", style="dim")
    text.append(f"  steps compared: {result.compared:,}", style="dim")
    for note in result.note.split("; ") if result.note else ():
        text.append(f"\n  {note}")
    return text


def _side(side: RunSide) -> str:
    told = ", ".join(f"{name} {version}" for name, version in side.versions.items())
    return f"{side.folder}  {side.command}  ({', '.join(part for part in (told, f'{side.steps:,} steps', side.status) if part)})"


def _first_difference(first: RunDifference, result: DiffResult) -> Text:
    what = first.kind if first.kind == first.name.replace("_", " ") else f"{first.kind} {first.name}"
    text = Text()
    text.append("First difference: ", style="bold")
    text.append(f"step {first.step}, {what}, in the rows of {first.source}\n")
    text.append(f"  left   {_value(first.left)}\n  right  {_value(first.right)}")
    if len(result.differing) > 1:
        text.append(f"\nAt that step differ, in causal order: {_listed(result.differing, result.more)}")
    return text


def _listed(names: tuple[str, ...], more: int = 0) -> str:
    return ", ".join(names) + (f", and {more} more" if more else "")


def _value(value: Any) -> str:
    if isinstance(value, dict) and "digest" in value:
        norm = "" if value["norm"] is None else f"norm {value['norm']!r}, "
        return f"{norm}digest {value['digest']}"
    if isinstance(value, dict):
        return f"{value['value']!r} (bits {value['bits']})"
    return f"{value!r}" if isinstance(value, float) else str(value)


def _environment(settings: tuple[Setting, ...]) -> Table:
    table = _table("", "left", "right")
    for setting in settings:
        table.add_row(setting.what, *("–" if value is None else str(value) for value in (setting.left, setting.right)))
    return table


def _growth(result: DiffResult) -> Group:
    """A row a step, with a bar whose length is the logarithm of the ulps."""
    head = Text("Growth: ", style="bold")
    head.append(f"{LOOKS[result.looks_like or 'unclear']}.", style="not bold")
    table = _table("step", "norms", "loss", "ulps", "", "of", right=4)
    for at in result.growth:
        table.add_row(f"{at.step:,}", _share(at.norm), _share(at.loss), f"{at.ulps:.3g}", _bar(at), at.name or "")
    return Group(head, table)


def _share(apart: float | None) -> str:
    return "" if apart is None else f"{apart:.1e}"


def _bar(at: Growth) -> str:
    return "█" * min(round(BAR * math.log1p(min(at.ulps, FULL)) / math.log1p(FULL)), BAR)


def _table(*columns: str, right: int = 0) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place < right else "left", overflow="fold")
    return table


def run_report(run: Run) -> Group:
    """What a run holds, a line each, and how far it can be read."""
    rows = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _facts(run).items():
        rows.add_row(Text(name, style="bold"), value)
    parts: list[RenderableType] = [rows]
    if run.cut:
        parts += [Text(), Text(f"Cut: {run.cut}.", style=STYLES["undecided"])]
    return Group(*parts)


def _facts(run: Run) -> dict[str, str]:
    """What there is to tell of a run."""
    manifest = run.manifest
    ended = f"exit status {manifest['exit_status']}" if manifest["exit_status"] is not None else ""
    steps, seconds = run.steps, _seconds(run)
    facts = {
        "command": " ".join(str(word) for word in manifest["command"]),
        "started": str(manifest["started"]),
        "ended": str(manifest["ended"] or "–"),
        "status": ", ".join(part for part in (run.status, ended, manifest["note"]) if part),
        "versions": ", ".join(f"{name} {version}" for name, version in versions(manifest).items()),
        "steps": f"{steps:,}",
        "time a step": "" if seconds is None else f"{1000 * seconds:.3g} ms",
        "on disk": f"{run.size:,} bytes" + (f", {run.size / steps:,.0f} a step" if steps else ""),
        "sources": ", ".join(f"{name} ({Rows(blocks).count:,} rows)" for name, blocks in run.sources.items()),
        "tensors": f"{max((len(segment.entries) for segment in run.segments), default=0):,} a row",
        "samples": f"{len(run.samples):,} steps with whole tensors" if run.samples else "",
        "loss": " → ".join(f"{value:.9g}" for value in _losses(run)),
    }
    return {name: value for name, value in facts.items() if value}


def _seconds(run: Run) -> float | None:
    """Time from a step to the next, on average."""
    blocks = [block for block in updates(run.blocks) if block.rows]
    times = [float(time) for block in blocks for time in (block.time[0], block.time[-1])]
    return (max(times) - min(times)) / (run.steps - 1) if run.steps > 1 else None


def _losses(run: Run) -> list[float]:
    """The first loss and the last."""
    found = []
    for block in updates(run.blocks):
        items = paired(block.segment, block.segment, {}).scalars
        place = next((item.places[0] for item in items if item.kind == "loss"), None)
        if place is not None and block.rows:
            found += [float(block.scalar(place)[0]), float(block.scalar(place)[-1])]
    return found[:: len(found) - 1] if found else []
