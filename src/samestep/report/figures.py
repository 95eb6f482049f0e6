"""Figures of results, as files. Matplotlib is imported on first use, and needs no display."""

from __future__ import annotations

from pathlib import Path

from samestep.errors import UsageError
from samestep.results import DiffResult, RepeatResult

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
    """Every seed's value by group, the differences with their intervals, and means against the number of seeds."""
    raise NotImplementedError


def _save(figure: object, path: str | Path) -> None:
    try:
        figure.savefig(path)  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--plot {path}: the figure could not be written: {error}. Name a .png, .svg or .pdf file."
        ) from error
