"""Puts the watching in place, before a script runs."""

from __future__ import annotations

import os
from typing import Any, Callable

from samestep.frameworks import _watching
from samestep.watching import edits, entropy, files, generators, lines, memory, places, tasks
from samestep.watching.tape import Tape


def install(script: str, options: Any, step: Callable[[], int]) -> Callable[[], None]:
    """Watch this process from now on, and those that it forks; returns what to call before it ends.

    options: folder of the tape, played values, switches, edits (new texts of files). step: tells how many updates were made.
    """
    places.started(script)
    tape = Tape(options["folder"], options["played"], options["switches"])
    tape.step = step
    edits.install(options["edits"])
    if hasattr(os, "register_at_fork"):  # before the generators, which note what they begin with there
        os.register_at_fork(before=lambda: _count(tape), after_in_child=tape.forked)
    shared = generators.install(tape)
    for part in (entropy, memory, tasks, files, lines):
        part.install(tape)
    shared_later = _watching.hook(tape)

    def finish() -> None:
        for one in [*shared, *shared_later]:
            one.look()

    return finish


def _count(tape: Tape) -> None:
    tape.children += 1
