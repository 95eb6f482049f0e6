"""Notes what a script was given that may differ from run to run, and gives it the same again.

A tape is a file of JSON lines, one for each process. What is asked for has a key, source and place in the user's code, and a
number among those of its key, so that the values of another run can be played in their order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

from samestep.watching import places

MOST = 20000
"""Values of a key that are noted and played; a clock that is asked in a loop has more."""
SEPARATOR = " @ "
GIVEN = "given "
"""Before the key of a number that a generator was seeded with: the same line may also ask for one without a seed."""
EVERYWHERE = "*"
"""In the place of a process: one value that is played to all, whichever asks; which worker takes a task is not known."""


class Tape:
    """What one process notes.

    folder: where it goes. played: {process: {key: values}} to give out. label: which process it is: "0" the script itself,
    "0.1" the first that it forks. seeds: a digest of all that generators were seeded with so far.
    """

    def __init__(
        self, folder: str, played: Dict[str, Dict[str, List[Any]]], switches: Any = (), label: str = "0"
    ) -> None:
        self.folder, self.played, self.switches, self.label = folder, played, frozenset(switches), label
        self.step: Callable[[], int] = lambda: 0
        self.children, self.seeds = 0, ""
        self._open()

    def _open(self) -> None:
        self._lock = threading.RLock()
        self._counts: Dict[str, int] = {}
        path = os.path.join(self.folder, "tape-{}.jsonl".format(self.label))
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._said: Any = set()
        self.note("process", self.label, os.getpid())

    def forked(self) -> None:
        """Go on in a process that was just forked, on a tape of its own."""
        self.label, self.children = "{}.{}".format(self.label, self.children), 0
        self._open()

    def take(self, source: str, make: Callable[[], Any], at: Optional[str] = None, kind: str = "value") -> Any:
        """The value that is played for the place that asks, else a new one; noted either way. It has to fit into JSON."""
        key = source + SEPARATOR + (places.place(places.caller(3)) if at is None else at)
        number, played = self.next(GIVEN + key if kind == "seed" else key)
        value = make() if played is None else played
        if number < MOST:
            self.note(kind, key, value)
        if kind == "seed":
            self.seeds = hashlib.blake2b(
                (self.seeds + repr(value)).encode("utf-8", "replace"), digest_size=8
            ).hexdigest()
        return value

    def next(self, key: str) -> Tuple[int, Any]:
        """The number of what is asked for now, and what is played for it, if anything."""
        with self._lock:
            number = self._counts[key] = self._counts.get(key, -1) + 1
        for value in self.played.get(EVERYWHERE, {}).get(key, ()):
            return number, value
        played = self.played.get(self.label, {}).get(key, ())
        return number, played[number] if number < len(played) else None

    def seen(self, source: str, value: Any = None, at: Optional[str] = None, kind: str = "seen") -> None:
        """Note something, once for a place and value."""
        key = source + SEPARATOR + (places.place(places.caller(3)) if at is None else at)
        once = kind, key, str(value)
        if once not in self._said:
            self._said.add(once)
            self.note(kind, key, value)

    def note(self, kind: str, key: str, value: Any, at: str = "") -> None:
        """Append a line, which stays whatever becomes of the process. at: the place, where the key does not tell it."""
        line = json.dumps({"kind": kind, "key": key, "value": value, "step": self.step(), "at": at}) + "\n"
        with contextlib.suppress(OSError):  # a full disk: the script goes on, and its tape is short
            os.write(self._file, line.encode())
