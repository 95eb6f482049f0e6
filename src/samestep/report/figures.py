"""Figures of results, as files. Matplotlib is imported on first use, and needs no display."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from samestep.errors import UsageError
from samestep.results import DiffResult, Group, RepeatResult

_UNDATED = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""Metadata that would differ from day to day, or between versions of Matplotlib."""
ULP = 2.0**-23
"""Of a float32."""


def growth(result: DiffResult, path: str | Path) -> None:
    """How far two runs are apart at each step looked at, on logarithmic axes; the kind of file follows from its name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    first = result.growth[0].step if result.growth else 0
    for name, label, marker in (("norm", "largest of the norms", "o"), ("loss", "loss", "x")):
        points = [(at.step - first + 1, getattr(at, name)) for at in result.growth if getattr(at, name)]
        axes.plot([at for at, _ in points], [apart for _, apart in points], marker=marker, label=label)
    axes.axhline(ULP, color="grey", linewidth=0.8, linestyle="--", label="one ulp of float32")
    axes.set(xscale="log", yscale="log", ylabel="relative difference", xlim=(0.8, None), ylim=(1e-9, 2.0))
    axes.set_xlabel(
        f"steps from the first difference, at step {first}, on" if result.growth else "no difference to show"
    )
    axes.set_title(f"{result.left.folder} | {result.right.folder}: {result.verdict}")
    axes.legend()
    _save(figure, path)


def repeats(result: RepeatResult, path: str | Path) -> None:
    """Every seed's value by group, the differences with their intervals, and each mean against the number of seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 + 0.5 * len(result.groups) + 1.2 * bool(result.comparisons)), layout="constrained")
    FigureCanvasAgg(figure)
    places: Any = [["values", "means"], ["differences", "means"]] if result.comparisons else [["values", "means"]]
    heights = [len(result.groups) + 1, len(result.comparisons) + 0.6][: len(places)]
    axes = figure.subplot_mosaic(places, height_ratios=heights, width_ratios=(3, 2))
    _values(axes["values"], result)
    _means(axes["means"], result)
    if result.comparisons:
        _differences(axes["differences"], result)
    _save(figure, path)


def _values(axes: Any, result: RepeatResult) -> None:
    """A dot a seed, the mean with its interval below them; the group on top is the first one."""
    for place, group in enumerate(result.groups):
        dots = _stacked(group.finite, result)
        axes.plot(
            group.finite, [place - 0.1 - up for up in dots], "o", markersize=4, alpha=0.6, color=f"C{place}", mew=0
        )
        _mark(axes, place + 0.2, group.mean, group.ci95, f"C{place}")
    names = [_named(group) for group in result.groups]
    better = "higher" if result.higher_is_better else "lower"
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(len(names) - 0.5, -0.6),
        title="every seed; mean, 95 % interval",
    )
    axes.set_xlabel(f"{_plain(result.metric)} ({better} is better)")


def _stacked(values: tuple[float, ...], result: RepeatResult) -> list[float]:
    """How far up each dot lies, so that none hides another: those of one place of the axis pile up."""
    low, high = _extremes(result)
    width = (high - low) / 80 or 1.0
    piles = Counter[int]()
    heights = []
    for value in values:
        pile = round((value - low) / width)
        heights.append(piles[pile])
        piles[pile] += 1
    step = min(0.07, 0.4 / max(piles.values(), default=1))
    return [height * step for height in heights]


def _extremes(result: RepeatResult) -> tuple[float, float]:
    every = [value for group in result.groups for value in group.finite] or [0.0]
    return min(every), max(every)


def _mark(axes: Any, place: float, middle: float, ends: tuple[float, float], colour: str) -> None:
    if all(map(math.isfinite, ends)):
        axes.plot(ends, [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
    if math.isfinite(middle):
        axes.plot([middle], [place], marker="D", markersize=6, color=colour)


def _plain(name: str) -> str:
    """Not as mathematics, which dollars would make of it."""
    return name.replace("$", r"\$")


def _named(group: Group) -> str:
    lost = len(group.seeds) - len(group.finite)
    return f"{_plain(group.name)}\n{len(group.seeds)} seeds" + (f", {lost} lost" if lost else "")


def _differences(axes: Any, result: RepeatResult) -> None:
    """Each other group's mean minus the first one's."""
    for place, comparison in enumerate(result.comparisons):
        _mark(axes, place, comparison.difference, comparison.ci95, f"C{place + 1}")
    axes.axvline(0.0, color="grey", linewidth=0.8)
    margin = result.comparisons[0].margin
    if margin is not None:
        axes.axvspan(-margin, margin, color="grey", alpha=0.15, linewidth=0)
    names = [f"{_plain(comparison.right)}:\n{comparison.verdict}" for comparison in result.comparisons]
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    within = "" if margin is None else "; grey: within the margin"
    axes.set_xlabel(f"difference to {_plain(result.groups[0].name)}, 95 % interval{within}")


def _means(axes: Any, result: RepeatResult) -> None:
    """The mean of the first n seeds with its interval by Student's t, which is to narrow as 1/√n."""
    for place, group in enumerate(result.groups):
        counts = np.arange(1, len(group.finite) + 1)
        means = np.cumsum(group.finite) / counts
        axes.plot(counts, means, color=f"C{place}", label=_plain(group.name), marker="o" if len(counts) < 3 else None)
        halves = [_half(group.finite[:count]) for count in counts[2:]]
        axes.fill_between(
            counts[2:], means[2:] - halves, means[2:] + halves, color=f"C{place}", alpha=0.15, linewidth=0
        )
    axes.set(xlabel="number of seeds", title="mean of the first seeds")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if every := [
        value for group in result.groups for value in group.finite
    ]:  # few seeds' intervals would hide the rest
        room = (max(every) - min(every)) / 10 or 1.0
        axes.set_ylim(min(every) - room, max(every) + room)
    axes.legend(loc="best", fontsize="small")


def _half(values: tuple[float, ...]) -> float:
    from scipy.stats import t as student

    return float(student.isf(0.025, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))


def _save(figure: object, path: str | Path) -> None:
    from matplotlib import rc_context

    try:
        # no date, no version, no random names of elements: the same result makes the same bytes
        with rc_context({"svg.hashsalt": "samestep"}):
            figure.savefig(path, metadata=_UNDATED.get(Path(path).suffix, {}))  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--plot {path}: the figure could not be written: {error}. Name a .png, .svg or .pdf file."
        ) from error
