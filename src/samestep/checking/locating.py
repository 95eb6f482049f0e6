"""The user's line at which two trials part, where no tape tells it: both are run once more, and their lines traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, zip_longest
from pathlib import Path

from samestep.checking.trials import Setup, Trial
from samestep.watching.lines import TRACED


def locate(run: Callable[[Setup], Trial], left: Setup, right: Setup) -> str:
    """FILE:LINE of the last line that both came to with the same in their variables; empty where they do not part."""
    traces = [_lines(run(replace(setup, switches=setup.switches | {TRACED}))) for setup in (left, right)]
    return parting(*traces)


def parting(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> str:
    """The line after which two traces of (FILE:LINE, digest of variables) are no longer the same."""
    both = list(zip_longest(left, right))
    if both and both[0][0] != both[0][1]:
        return ""
    return next((before[0][0] for before, after in pairwise(both) if before[0] and after[0] != after[1]), "")


def _lines(trial: Trial) -> list[tuple[str, str]]:
    path: Path = trial.folder / "lines-0.txt"
    if not path.is_file():
        return []
    pairs = (line.rpartition(" ") for line in path.read_text(encoding="utf-8").splitlines())
    return [(place, held) for place, _, held in pairs]
