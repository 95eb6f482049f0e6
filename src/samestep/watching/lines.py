"""Which lines of the user's a process comes to, and what their plain variables hold: to find where two runs part.

Tracing is slow, so it is done in runs of its own, and ends after a number of lines.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import random
import sys
from typing import Any, Callable, Dict, Optional

from samestep.watching import places
from samestep.watching.tape import Tape

TRACED = "trace of lines"
"""The switch."""
MOST = 50000
"""Lines that are noted."""
LARGEST = 4096
"""Characters of a value, or bytes of an array, that are looked at."""
DEEPEST = 2
"""Objects within objects that are looked into."""
TOLD_WHOLE = ("datetime", "fractions", "decimal", "pathlib", "uuid")
"""Modules of the standard library whose objects are what they are shown as."""
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def install(tape: Tape) -> None:
    """Trace from now on, if that is wanted."""
    if TRACED in tape.switches:
        sys.settrace(_Tracer(tape).call)


class _Tracer:
    def __init__(self, tape: Tape) -> None:
        path, self._tape = os.path.join(tape.folder, "lines-0.txt"), tape
        self._file, self._count = open(path, "w", encoding="utf-8"), 0  # noqa: SIM115 - open as long as the process lives
        self._printed = _Printed(os.path.join(tape.folder, "stdout"))
        self._process = os.getpid()

    def call(self, frame: Any, event: str, argument: Any) -> Optional[Callable[..., Any]]:
        """Of a function that is called: whether its lines are traced."""
        return self.line if places.users(frame.f_code.co_filename) else None

    def line(self, frame: Any, event: str, argument: Any) -> Optional[Callable[..., Any]]:
        """Note a line that is about to run, or a return, the variables, what is returned, was printed, and was a seed."""
        if self._count >= MOST or os.getpid() != self._process:
            sys.settrace(None)
            self._file.flush()
            return None
        self._count += 1
        returned = _told(argument) if event == "return" else ""
        held = _held(frame.f_locals, returned, self._printed.digest(), self._tape.seeds)
        self._file.write("{} {}\n".format(places.place(frame), held))
        return self.line


class _Printed:
    """What the process has written to standard output, which is a file."""

    def __init__(self, path: str) -> None:
        self._path, self._size, self._hash = path, 0, hashlib.blake2b(digest_size=8)

    def digest(self) -> str:
        """Of all that was printed so far."""
        with contextlib.suppress(Exception):  # it may be closed, or something else
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            if os.path.getsize(self._path) > self._size:
                with open(self._path, "rb") as file:
                    file.seek(self._size)
                    new = file.read()
                self._size += len(new)
                self._hash.update(new)
        return self._hash.hexdigest()


def _held(variables: Dict[str, Any], *more: str) -> str:
    """A digest of the variables whose values are plain, and of this."""
    told = ["{}={}".format(name, _told(value)) for name, value in list(variables.items()) if not name.startswith("__")]
    told += more
    return hashlib.blake2b("\n".join(told).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _told(value: Any, depth: int = 0) -> str:
    """A value as text, the same wherever it is the same; nothing of a set's order, which is nobody's until it is used."""
    if type(value) in PLAIN:
        return repr(value)[:LARGEST]
    if type(value) in (list, tuple) and len(value) < LARGEST // 16:
        return "[" + ",".join(_told(item, depth + 1) for item in value) + "]"
    if type(value).__module__ in TOLD_WHOLE or isinstance(value, enum.Enum):
        return repr(value)[:LARGEST]
    if isinstance(value, dict) and len(value) < LARGEST // 16:
        return (
            "{"
            + ",".join("{}:{}".format(_told(key), _told(item, depth + 1)) for key, item in list(value.items()))
            + "}"
        )
    if (
        hasattr(value, "tobytes")
        and hasattr(value, "nbytes")
        and isinstance(value.nbytes, int)
        and value.nbytes < LARGEST
    ):
        return hashlib.blake2b(value.tobytes(), digest_size=8).hexdigest()
    held = _tensor(value) or _generator(value)
    if held is not None:
        return held
    if depth < DEEPEST and hasattr(value, "__dict__") and _of_user(type(value)):
        return "{}({})".format(
            type(value).__name__,
            ",".join(name + "=" + _told(one, depth + 1) for name, one in list(vars(value).items())),
        )
    return type(value).__name__


def _tensor(value: Any) -> Optional[str]:
    """The numbers of a small tensor of PyTorch, None for other objects."""
    small = type(value).__module__.startswith("torch") and getattr(value, "nbytes", LARGEST) < LARGEST
    return repr(value.tolist()) if small and hasattr(value, "tolist") else None


def _generator(value: Any) -> Optional[str]:
    """The state of a random generator, None for other objects."""
    kind = type(value).__module__
    if type(value) is random.Random:
        return repr(hash(value.getstate()[1]))
    if kind.startswith("numpy.random") and hasattr(value, "bit_generator"):
        return repr(value.bit_generator.state)
    return repr(value.get_state()[1:3]) if kind.startswith("numpy.random") and hasattr(value, "get_state") else None


def _of_user(kind: Any) -> bool:
    """Whether a class is the user's, whose objects hold what they hold in plain sight."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or places.users(getattr(module, "__file__", None) or "<unknown>")
