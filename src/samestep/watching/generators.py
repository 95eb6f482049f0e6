"""Random generators: what unseeded ones begin with, who uses them, who seeds them; and Python's own."""

from __future__ import annotations

import functools
import os
import random
from typing import Any, Callable, Dict, List

from samestep.watching import entropy, places
from samestep.watching.tape import Tape

START = "start"
"""Where a generator begins that nobody has seeded: with its import, and not at a line."""
UNSEEDED = "unseeded use"
system_bits = os.urandom
"""Kept, since asking for the beginnings is no asking of the script's."""


def bits(size: int = 16) -> int:
    """As many random bytes, as a number."""
    return int.from_bytes(system_bits(size), "big")


class Global:
    """One of the generators that all of a process share: whether anybody drew from it before it was seeded."""

    def __init__(self, tape: Tape, source: str, state: Callable[[], Any], seed: Callable[[int], Any]) -> None:
        self.tape, self.source, self.state = tape, source, state
        seed(tape.take(source, bits, START))
        self.begun, self.seeded, self.told = state(), False, False

    def look(self) -> None:
        """Note that it was used unseeded, if it was."""
        if not self.told and not self.seeded and self.state() != self.begun:
            self.note_use("")

    def note_use(self, at: str) -> None:
        """Note the first place that draws from it."""
        if not self.seeded:
            self.told = True
            self.tape.seen(self.source, self.source, at, UNSEEDED)

    def note_seed(self) -> None:
        """It is seeded now; what was drawn before was not."""
        self.look()
        self.seeded = True


def install(tape: Tape) -> List[Global]:
    """Watch them from now on; those to look at when the process ends."""
    return [_pythons(tape)]


def _pythons(tape: Tape) -> Global:
    own = random._inst
    original = random.Random.seed
    shared = Global(tape, "random", random.getstate, lambda number: original(own, number))

    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        if a is None:
            name = "random.seed" if self is own else entropy.asked_by("random.Random", ("tempfile",))
            a = bits(32) if name == entropy.OWN_NAMES else tape.take(name, lambda: bits(32))
        elif self is own or places.called_by_user():
            a = _seed(tape, a)
        if self is own:
            shared.note_seed()
        original(self, a, version)

    random.Random.seed = functools.wraps(original)(seed)  # type: ignore[method-assign]
    random.seed = own.seed
    trap({random: drawing(random, own)}, shared)
    if hasattr(os, "register_at_fork"):  # Python itself seeds it anew there, without asking anything of the above
        os.register_at_fork(after_in_child=lambda: original(own, tape.take("random", bits, "fork")))
    return shared


def _seed(tape: Tape, given: Any) -> Any:
    """The seed that is played, else the one given, if it can be noted."""
    if isinstance(given, (bytes, bytearray)):
        return bytes.fromhex(tape.take("random.seed", given.hex, kind="seed"))
    return tape.take("random.seed", lambda: given, kind="seed") if isinstance(given, (int, str, float)) else given


def trap(owners: Dict[Any, Any], shared: Global) -> None:
    """The first call of any of these functions of modules is noted; then all are what they were."""
    originals = {(owner, name): getattr(owner, name) for owner, names in owners.items() for name in names}
    traps = {key: _noting(original, lambda: release()) for key, original in originals.items() if callable(original)}
    waiting = [shared]

    def release() -> None:
        if waiting and not places.importing(4):  # what a module draws when it is imported is not yet the script's
            waiting.pop()
            shared.note_use(places.place(places.caller(4)))
            for (owner, name), noting in traps.items():
                if getattr(owner, name) is noting:
                    setattr(owner, name, originals[owner, name])

    for (owner, name), noting in traps.items():
        setattr(owner, name, noting)


def drawing(owner: Any, generator: Any) -> List[str]:
    """The names of a module's functions that draw from its generator."""
    bound = (name for name in dir(owner) if getattr(getattr(owner, name), "__self__", None) is generator)
    return [name for name in bound if not name.startswith(("seed", "get", "set")) or name == "getrandbits"]


def _noting(original: Any, note: Callable[[], None]) -> Any:
    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        note()
        return original(*arguments, **named)

    return call
