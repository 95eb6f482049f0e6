"""Puts the watching in place, before a script runs."""

from __future__ import annotations

import os
from typing import Any, Callable, List

from samestep.frameworks import _watching
from samestep.watching import edits, entropy, files, generators, lines, memory, places, tasks
from samestep.watching.tape import Tape

UNWATCHED = "unwatched"
"""The kind of event that tells what could not be watched."""


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
    shared: List[Any] = []
    for part in (generators, entropy, memory, tasks, files, lines):
        try:
            shared += part.install(tape) or ()
        except Exception as error:  # a version that is made otherwise: the script is to run nevertheless
            tape.note(UNWATCHED, part.__name__, "{}: {}".format(type(error).__name__, error))
    shared_later = _watching.hook(tape)

    def finish() -> None:
        for one in [*shared, *shared_later]:
            one.look()

    return finish


def _count(tape: Tape) -> None:
    tape.children += 1
