"""Puts the watching in place: before a script runs, in processes that it forks, and in Python processes that it starts."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Dict, List

from samestep.frameworks import _watching
from samestep.recording.imports import when_imported
from samestep.watching import commands, edits, entropy, files, generators, lines, places, tasks, threads
from samestep.watching.tape import Tape

UNWATCHED = "unwatched"
"""The kind of event that tells what could not be watched."""
VARIABLE, OPTIONS = "SAMESTEP_WATCH", "watch.json"
"""The variable that tells Python processes that the script starts where their options are."""
CHILDREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children")
"""The folder of what Python imports by itself when it starts."""


def install(options: Any, step: Callable[[], int]) -> Callable[[], None]:
    """Watch this process from now on, and those that it starts; returns what to call before it ends.

    options: what the file OPTIONS in their folder holds, the folder of the tape, played values, switches, edits (new texts of
    files), home (the script's folder, and where it begins). step: tells how many updates were made.
    """
    places.HOME[:] = options["home"]
    os.environ[VARIABLE] = os.path.join(options["folder"], OPTIONS)
    os.environ["PYTHONPATH"] = os.pathsep.join([CHILDREN, *filter(None, [os.environ.get("PYTHONPATH")])])
    tape = Tape(options["folder"], options["played"], options["switches"])
    tape.step = step
    return watch(tape, options["edits"])


def watch(tape: Tape, texts: Dict[str, str]) -> Callable[[], None]:
    """Watch a process that has a tape; returns what to call before it ends."""
    shared: List[Any] = []
    edits.install(texts)
    if hasattr(os, "register_at_fork"):  # before the generators, which note what they begin with there
        os.register_at_fork(before=lambda: _count(tape), after_in_child=tape.forked)
    for part in (generators, entropy, commands, tasks, files, threads, lines):
        _try(tape, part.__name__, lambda part=part: shared.extend(part.install(tape) or ()))  # type: ignore[misc]
    when_imported({"numpy": lambda module: _try(tape, "numpy", functools.partial(_numpy, tape, shared))})
    shared_later = _watching.hook(tape)

    def finish() -> None:
        for one in [*shared, *shared_later]:
            one.look()

    return finish


def _try(tape: Tape, name: str, install_part: Callable[[], None]) -> None:
    """A version that is made otherwise cannot be watched: the script is to run nevertheless."""
    try:
        install_part()
    except Exception as error:
        tape.note(UNWATCHED, name, "{}: {}".format(type(error).__name__, error))


def _numpy(tape: Tape, shared: List[Any]) -> None:
    from samestep.watching import numpys

    shared.extend(numpys.install(tape))


def _count(tape: Tape) -> None:
    tape.children += 1
