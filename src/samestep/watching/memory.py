"""Arrays that are not initialised: which lines make them; and, as switches of each of these lines, made of zeros or junk."""

from __future__ import annotations

import contextlib
import functools
import linecache
from typing import Any, Callable

from samestep.watching import places
from samestep.watching.tape import Tape

ZEROED, JUNK = "memory of zeros: ", "memory of junk: "
"""How the switches begin; the place follows."""
FILLING = 101
"""Junk in any type of numbers."""


def watch(tape: Tape, owner: Any, name: str, source: str, zeros: Callable[..., Any]) -> None:
    """Note calls by the user's own lines of a function that does not initialise what it makes."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def make(*arguments: Any, **named: Any) -> Any:
        if not places.called_by_user():
            return original(*arguments, **named)
        place = _place(name)
        if place:
            tape.seen(source, at=place)
        made = (zeros if ZEROED + place in tape.switches else original)(*arguments, **named)
        if JUNK + place in tape.switches:
            _fill(made)
        return made

    setattr(owner, name, make)


def _fill(made: Any) -> None:
    with contextlib.suppress(Exception):  # arrays of what are no numbers
        getattr(made, "data", made).fill_(FILLING) if hasattr(made, "fill_") else made.fill(FILLING)


def _place(name: str) -> str:
    """The user's line; none where it does not say the name, as where a function of C that it calls makes the array."""
    frame = places.caller(3)
    return places.place(frame) if name in linecache.getline(frame.f_code.co_filename, frame.f_lineno) else ""
