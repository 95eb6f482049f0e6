"""Arrays that are not initialised: which lines make them; and, as a switch, made of zeros."""

from __future__ import annotations

import functools
from typing import Any, Callable

from samestep.watching import places
from samestep.watching.tape import Tape

ZEROED = "memory of zeros"
"""The switch."""


def watch(tape: Tape, owner: Any, name: str, source: str, zeros: Callable[..., Any]) -> None:
    """Note calls by the user's own lines of a function that does not initialise what it makes."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def make(*arguments: Any, **named: Any) -> Any:
        if not places.called_by_user():
            return original(*arguments, **named)
        tape.seen(source)
        return (zeros if ZEROED in tape.switches else original)(*arguments, **named)

    setattr(owner, name, make)
