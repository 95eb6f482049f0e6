"""Whether a script repeats, as text: the verdict, the first difference, the causes with their mends."""

from __future__ import annotations

import shlex
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from samestep.results import CheckCause, CheckDifference, CheckResult, Mended

STYLES = {"reproducible": "green", "not reproducible": "bold red", "undecided": "yellow"}
MOST = 90
"""Characters of a value that are shown."""


def check_report(result: CheckResult) -> Group:
    """Verdict first, then the first difference, the causes, and what mended runs showed."""
    parts: list[RenderableType] = [_verdict(result)]
    if result.first_difference is not None:
        parts += [Text(), _difference(result.first_difference)]
    for cause in result.causes:
        parts += [Text(), _cause(cause)]
    if result.mended is not None:
        parts += [Text(), Text(_mended(result.mended))]
    if result.remains:
        parts += [Text(), Text(f"Not explained: {result.remains}.", style=STYLES["undecided"])]
    return Group(*parts)


def _verdict(result: CheckResult) -> Text:
    text = Text()
    text.append(result.verdict.upper(), style=STYLES[result.verdict])
    text.append(f"  {_sentence(result)}\n")
    command = shlex.join([result.script, *result.arguments])
    more = f", {result.interventions} more to find out why" if result.interventions else ""
    text.append(f"  script    {command}\n  runs      {result.runs}{more}", style="dim")
    if result.compared:
        text.append(f"\n  compared  {result.compared}", style="dim")
    if result.metric is not None:
        values = ", ".join(f"{value:.9g}" for value in result.metric.values[:8])
        text.append(f"\n  {result.metric.name}  {values}{', …' if len(result.metric.values) > 8 else ''}", style="dim")
    return text


def _sentence(result: CheckResult) -> str:
    note = f" ({result.note})" if result.note else ""
    if result.verdict == "reproducible":
        status = f", exit status {result.exit_statuses[0]}" if any(result.exit_statuses) else ""
        return (
            f"{result.runs} runs gave the same{status}, bit for bit. "
            f"A difference that shows in fewer than {result.missed:.0%} of runs could have been missed{note}."
        )
    if result.verdict == "not reproducible":
        return f"runs of the script differ{note}."
    if result.first_difference is None:
        return f"{result.note}."
    return f"runs of the script differ, but no cause could be confirmed{note}."


def _difference(first: CheckDifference) -> Text:
    text = Text()
    text.append("First difference: ", style="bold")
    where = f"step {first.step}, " if first.step is not None else ""
    text.append(where + " ".join(part for part in (first.what, first.name) if part))
    for side in (first.left, first.right):
        text.append(f"\n  {_short(side)}")
    return text


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = value["norm"] if "norm" in value else value.get("value", value)
    told = str(value)
    return told if len(told) <= MOST else told[:MOST] + "…"


def _cause(cause: CheckCause) -> Text:
    text = Text()
    text.append("Cause: " if cause.confirmed else "Suspicion: ", style="bold")
    text.append(cause.source + (f" at {cause.site}" if cause.site else ""))
    if cause.share is not None:
        text.append(f", {cause.share:.0%} of the variation")
    if cause.fix:
        text.append(f"\n  {cause.fix}")
    return text


def _mended(mended: Mended) -> str:
    held = f", with {' and '.join(dict.fromkeys(mended.pinned))} held as it was" if mended.pinned else ""
    if mended.equal:
        return f"Proved: with these edits{held}, {mended.runs} runs gave the same, bit for bit."
    return f"With these edits{held}, {mended.runs} runs still differ."
