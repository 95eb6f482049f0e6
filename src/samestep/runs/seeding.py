"""Runs a user's script unedited with everything seeded from its start, the seed of its hashes included."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from samestep.errors import UsageError
from samestep.runs import launching
from samestep.seeding.generators import HASH, MKL, MKL_REPRODUCIBLE
from samestep.seeding.report import SeedReport
from samestep.worker import inherited
from samestep.worker.child import NO_NUMPY


@dataclass(frozen=True)
class Seeded:
    """The script's exit status, and what was seeded; None if it ended before it could say so."""

    exit_status: int
    report: SeedReport | None


def run(
    seed: int, script: str, arguments: Sequence[str] = (), *, deterministic: bool = False, python: str | None = None
) -> Seeded:
    """Run a script with every generator seeded, each framework as it is imported. Raises UsageError for bad input.

    seed: from 0 to 2**32 - 1, also of the hashes of strings. deterministic: with each framework's own switches turned on. python:
    the interpreter, by default this one.
    """
    launching.check_script(script, f"Name the script that trains: samestep seed {seed} train.py")
    options = {"seed": {"seed": seed, "deterministic": deterministic}}
    environment = {HASH: str(seed)}
    if deterministic:
        environment[MKL] = os.environ.get(MKL, MKL_REPRODUCIBLE)  # so that it stands before NumPy is there
    how = {"env": {**inherited.environment(), **environment}}
    process, stream = launching.start([python or sys.executable], script, arguments, options, how)
    with launching.signals_are_the_scripts(process):
        told = [message["seeded"] for message in launching.arriving(stream, process) if "seeded" in message]
        status = process.wait()
    if status == NO_NUMPY and not told:
        raise UsageError(f"{launching.LACKS_NUMPY}.")
    return Seeded(launching.shell_status(status), SeedReport.from_json(told[-1]) if told else None)
