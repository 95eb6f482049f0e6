"""`samestep.seed` and `samestep.seeded`: what is imported is seeded now, what is imported later as it arrives."""

from __future__ import annotations

import contextlib
import functools
import operator
from typing import Any, Callable, Dict, List, Optional

from samestep.errors import UsageError
from samestep.frameworks._seeding import SEEDERS, SWITCHES
from samestep.recording.imports import when_imported
from samestep.seeding.generators import seed_numpy, seed_python, switch_mkl
from samestep.seeding.report import Done, SeedReport, Untouched, nothing

LARGEST = 2**32 - 1
"""NumPy's global generator and Python's hashes take no larger seed."""
PACKAGES = {"numpy.random": seed_numpy, **SEEDERS}
"""{module: function that seeds it}, in the order in which those that are there are seeded."""


class Seeding:
    """Seeds everything, as often as it is told to; puts it all back as it was before the first time."""

    def __init__(self, changed: Callable[[SeedReport], None] = lambda report: None) -> None:
        self._changed = changed
        self._seed, self._deterministic = 0, False
        self._done: Dict[str, Done] = {}
        self._awaited: Dict[str, Any] = {}
        self._forget: Callable[[], None] = nothing
        self._kept: Dict[str, Callable[[], None]] = {}

    def begin(self, seed: int, deterministic: bool) -> SeedReport:
        """Seed what is there, and what is imported from now on; raises UsageError for what is no seed."""
        self._seed, self._deterministic = _checked(seed), deterministic
        self._forget()
        self._done = {}
        if deterministic:
            self._keep("MKL", switch_mkl())
        self._keep("python", seed_python(self._seed))
        self._awaited = dict.fromkeys(PACKAGES)
        self._forget = when_imported({name: functools.partial(self._arrived, name) for name in PACKAGES})
        return self.report()

    def _arrived(self, name: str, module: Any) -> None:
        self._awaited.pop(name, None)
        if self._deterministic and name in SWITCHES:
            self._keep(name + " switches", self._guarded(name, lambda: SWITCHES[name](module)))
        self._keep(name, self._guarded(name, lambda: PACKAGES[name](module, self._seed)))
        self._changed(self.report())

    def _guarded(self, name: str, act: Callable[[], Done]) -> Done:
        """What went wrong, where a version is made otherwise, is told: the import that led here is to succeed."""
        try:
            return act()
        except Exception as error:
            why = "this version could not be handled: {}: {}".format(type(error).__name__, error)
            return Done(nothing, untouched=[Untouched(name, "its generators or switches", why)])

    def _keep(self, name: str, done: Done) -> None:
        self._done[name] = done
        self._kept.setdefault(name, done.restore)

    def report(self) -> SeedReport:
        """What has been done so far."""
        parts = self._done.values()
        return SeedReport(
            self._seed,
            self._deterministic,
            tuple(entry for done in parts for entry in done.touched),
            tuple(entry for done in parts for entry in done.untouched),
            tuple(entry for done in parts for entry in done.switches),
            tuple(self._awaited),
        )

    def restore(self) -> None:
        """Put back what was there, the last first and all of it whatever goes wrong; what is imported later is left alone."""
        self._forget()
        with contextlib.ExitStack() as stack:
            for put_back in self._kept.values():
                stack.callback(put_back)
        self._kept = {}


_lasting: List[Seeding] = [Seeding()]
"""What `seed` does, outside of blocks and in each block that is open."""


def seed(seed: int, *, deterministic: bool = False) -> SeedReport:
    """Seed every generator that is there, and every framework that is imported later as it arrives.

    seed: a whole number from 0 to 2**32 - 1. deterministic: turn on the frameworks' own switches for deterministic kernels too.
    Imports nothing. Answers with what was touched, what could not be, and what the switches cost. Raises UsageError.
    """
    return _lasting[-1].begin(seed, deterministic)


class seeded(contextlib.ContextDecorator):  # noqa: N801 - used as the function of a with statement
    """As `seed`, within a block: `with samestep.seeded(7) as report:`. At its end generators go on as if it had not been.

    Blocks may be nested, and one may be entered again. Raises UsageError when it is made with what is no seed.
    """

    def __init__(self, seed: int, *, deterministic: bool = False) -> None:
        self._seed, self._deterministic = _checked(seed), deterministic
        self._open: List[Seeding] = []
        self._last: Optional[Seeding] = None

    @property
    def report(self) -> Optional[SeedReport]:
        """What the block has done, with what was imported in it; None before it has begun."""
        return None if self._last is None else self._last.report()

    def __enter__(self) -> SeedReport:
        self._last = seeding = Seeding()
        try:
            report = seeding.begin(self._seed, self._deterministic)
        except BaseException:
            seeding.restore()
            raise
        self._open.append(seeding)
        _lasting.append(Seeding())
        return report

    def __exit__(self, *raised: Any) -> None:
        try:
            _lasting.pop().restore()
        finally:
            self._open.pop().restore()


def _checked(seed: Any) -> int:
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise UsageError("a seed is a whole number from 0 to {} (2**32 - 1), not {!r}.".format(LARGEST, seed))
    return number
