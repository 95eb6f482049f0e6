"""The operating system's random bytes, clocks, and the process's number: as they are, or those of another run."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import functools
import gc
import os
import random
import sys
import time
import uuid
from typing import Any, Callable, Dict

from samestep.recording.imports import when_imported
from samestep.watching import places
from samestep.watching.tape import SEPARATOR, Tape

LARGEST = 4096
"""Random bytes that are asked for at once and noted."""
CLOCKS = (
    *("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns"),
    *("process_time", "process_time_ns", "thread_time", "thread_time_ns"),
)
CALENDAR = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions that take the time now where they are given none, and the place of the time among their arguments."""
MODULES = {"uuid": "uuid.{}", "secrets": "secrets", "tempfile": "tempfile", "random": "random.SystemRandom"}
"""By what name a user knows random bytes that a module of the standard library asked for."""
OWN_NAMES = "names of semaphores and sockets"
"""What multiprocessing draws, and no result follows."""


def install(tape: Tape) -> None:
    """Watch them from now on."""
    _bytes(tape)
    for name in CLOCKS:
        if hasattr(time, name):  # Python 3.6 has not all
            setattr(time, name, _from_user(tape, "time." + name, getattr(time, name)))
    _calendar(tape)
    played: Dict[int, int] = {}
    for name in ("getpid", "getppid"):
        setattr(os, name, _number(_from_user(tape, "os." + name, getattr(os, name), 3), getattr(os, name), played))
    os.kill = _to_own(os.kill, played)
    uuid.uuid1 = _uuid1(tape)
    _dates(tape)
    when_imported({"socket": lambda module: _ports(tape, module)})


def _ports(tape: Tape, module: Any) -> None:
    """A port that the system chooses: the one that it chose in another run, if that is free."""
    original = module.socket.bind

    def bind(self: Any, address: Any) -> None:
        free = isinstance(address, tuple) and len(address) > 1 and address[1] == 0 and places.caller() is not None
        key = "socket" + SEPARATOR + places.place(places.caller())
        played = tape.next(key)[1] if free else None
        if played is not None:
            with contextlib.suppress(OSError):
                original(self, (address[0], played, *address[2:]))
                address = None
        if address is not None:
            original(self, address)
        if free:
            tape.note("value", key, self.getsockname()[1])

    module.socket.bind = functools.wraps(original)(bind)


def _bytes(tape: Tape) -> None:
    original = os.urandom

    def urandom(size: int) -> bytes:
        if size > LARGEST:
            return original(size)
        name = asked_by("os.urandom")
        if name == OWN_NAMES:
            return original(size)
        value = bytes.fromhex(tape.take(name, lambda: original(size).hex()))
        return value if len(value) == size else original(size)

    os.urandom = urandom
    if hasattr(os, "getrandom"):
        os.getrandom = lambda size, flags=0: urandom(size)
    random._urandom = urandom  # type: ignore[attr-defined]


def asked_by(name: str, modules: Any = tuple(MODULES)) -> str:
    """The name of what the user called: the outermost of the standard library's functions between, else this one."""
    frame: Any = sys._getframe(2)
    while frame is not None and not places.users(frame.f_code.co_filename):
        module = frame.f_globals.get("__name__", "")
        if module.startswith("multiprocessing.") and "tempfile" in modules:
            return OWN_NAMES
        if module in modules:
            name = MODULES[module].format(frame.f_code.co_name)
        frame = frame.f_back
    return name


def _from_user(tape: Tape, source: str, original: Callable[..., Any], depth: int = 2) -> Callable[..., Any]:
    @functools.wraps(original)
    def asked(*arguments: Any) -> Any:
        if not places.called_by_user(depth):
            return original(*arguments)
        return tape.take(source, original)

    return asked


def _calendar(tape: Tape) -> None:
    """The time now as a calendar has it, in fields or as text."""
    local, universal = time.localtime, time.gmtime
    for name, place in CALENDAR.items():
        now = universal if name == "gmtime" else local
        setattr(time, name, _of_now(tape, "time." + name, getattr(time, name), place, now))


def _of_now(tape: Tape, source: str, original: Callable[..., Any], place: int, now: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def tell(*arguments: Any) -> Any:
        given = len(arguments) > place and arguments[place] is not None
        if given or len(arguments) < place or not places.called_by_user():
            return original(*arguments)
        fields = tape.take(source, lambda: list(now()))
        if source in ("time.localtime", "time.gmtime"):
            made = now()  # it has the zone too
            return made if list(made) == fields else time.struct_time(fields)
        told = time.struct_time(fields)
        return time.asctime(told) if source == "time.ctime" else original(*arguments[:place], told)

    return tell


def _number(asked: Callable[[], int], original: Callable[[], int], played: Dict[int, int]) -> Callable[[], int]:
    """The number of a process, with a note of whose it is in truth: the one that is played may be somebody else's now."""

    @functools.wraps(original)
    def number() -> int:
        told = asked()
        played[told] = original()
        return told

    return number


def _to_own(original: Callable[..., Any], played: Dict[int, int]) -> Callable[..., Any]:
    @functools.wraps(original)
    def kill(pid: int, *signal: Any) -> Any:
        return original(played.get(pid, pid), *signal)

    return kill


def _uuid1(tape: Tape) -> Callable[..., Any]:
    original = uuid.uuid1

    @functools.wraps(original)
    def uuid1(*arguments: Any, **named: Any) -> uuid.UUID:
        return uuid.UUID(tape.take("uuid.uuid1", lambda: str(original(*arguments, **named))))

    return uuid1


def _dates(tape: Tape) -> None:
    """The classes are of C and cannot be written to, but their dicts can: subclasses in their place would not be the same."""
    for kind, names in ((datetime.datetime, ("now", "utcnow", "today")), (datetime.date, ("today",))):
        for name in names:
            try:
                gc.get_referents(kind.__dict__)[0][name] = classmethod(_date(tape, kind, name))
                ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
            except (TypeError, IndexError, AttributeError):
                return


def _date(tape: Tape, kind: Any, name: str) -> Callable[..., Any]:
    source = "datetime.{}.{}".format(kind.__name__, name)
    plain = getattr(kind, name)  # bound to the class, as methods of C are

    def asked(cls: Any, *arguments: Any, **named: Any) -> Any:
        value = plain(*arguments, **named)
        if not places.called_by_user():
            return value if cls is kind else cls.fromisoformat(value.isoformat())
        zone = getattr(value, "tzinfo", None)
        told = tape.take(source, lambda: value.replace(tzinfo=None).isoformat() if zone else value.isoformat())
        value = kind.fromisoformat(told)
        return value.replace(tzinfo=zone) if zone else value

    return asked
