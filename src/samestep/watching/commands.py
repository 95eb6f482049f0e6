"""What commands print that a script starts: as they do, or as they did in another run."""

from __future__ import annotations

import functools
from typing import Any, Callable

from samestep.recording.imports import when_imported
from samestep.watching import places
from samestep.watching.tape import Tape

OUTPUT = "subprocess output"
LARGEST = 1 << 16
"""Characters that are noted."""


def install(tape: Tape) -> None:
    """Watch it from now on."""

    def watch(module: Any) -> None:
        module.Popen.communicate = _communicate(tape, module.Popen.communicate)

    when_imported({"subprocess": watch})


def _communicate(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def communicate(self: Any, *arguments: Any, **named: Any) -> Any:
        out, err = original(self, *arguments, **named)
        if isinstance(out, (str, bytes)) and 0 < len(out) <= LARGEST and places.on_behalf_of_user():
            out = _told(tape, out)
        return out, err

    return communicate


def _told(tape: Tape, out: Any) -> Any:
    if isinstance(out, str):
        return tape.take(OUTPUT, lambda: out)
    return tape.take(OUTPUT, lambda: out.decode("latin-1")).encode("latin-1")
