"""One run of a script under observation, with values of another run played to it, switches set, or lines mended."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from samestep.errors import ProgramError
from samestep.runs import launching
from samestep.runs.reading import Run
from samestep.watching.install import OPTIONS
from samestep.watching.places import OWN
from samestep.watching.tape import SEPARATOR
from samestep.watching.threads import ONE_THREAD, VARIABLES

Played = Mapping[str, Mapping[str, list[Any]]]
"""{process: {key: values}}."""
ADDRESSES = "fixed addresses"
"""A switch that is set from outside of the process."""
THREADS = dict.fromkeys(VARIABLES, "1")
_OWN_FRAMES = re.compile(r'  File "{}[^\n]*\n(    [^\n]*\n)*'.format(re.escape(os.path.join(OWN, ""))))
NAMES = ("uuid.uuid4", "secrets", "os.urandom")
MOST_PRINTED = 64 << 20
"""Bytes of what a script prints that are looked at."""


@dataclass(frozen=True)
class Event:
    """A line of a tape. process: "0" is the script. source, site: what, and FILE:LINE of who asked for it, empty if unknown."""

    process: str
    kind: str
    source: str
    site: str
    value: Any
    step: int

    @property
    def key(self) -> str:
        """By which values are played."""
        return self.source + SEPARATOR + self.site


@dataclass(frozen=True)
class Setup:
    """How a trial is run. hash_seed: PYTHONHASHSEED; None leaves it as the user has it."""

    hash_seed: str | None = None
    played: Played = field(default_factory=dict)
    switches: frozenset[str] = frozenset()
    edits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """What one run left. late: it was ended because the time was up."""

    folder: Path
    setup: Setup
    exit_status: int
    seconds: float
    late: bool

    @cached_property
    def run(self) -> Run:
        """Its recorded training."""
        return Run.open(self.folder / "run")

    @cached_property
    def printed(self) -> str:
        """What it wrote to standard output."""
        return _text(self.folder / "stdout")

    @property
    def said(self) -> str:
        """What it wrote to standard error, without samestep's own frames in tracebacks."""
        return _OWN_FRAMES.sub("", _text(self.folder / "stderr"))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All tapes, the script's own first."""
        tapes = sorted(self.folder.glob("tape-*.jsonl"), key=_in_order)
        return tuple(event for path in tapes for event in _events(path))

    @cached_property
    def values(self) -> dict[str, dict[str, list[Any]]]:
        """{process: {key: values}} of all that can be played."""
        return self._of_kind("value")

    @cached_property
    def seeds(self) -> dict[str, dict[str, list[Any]]]:
        """The same of the numbers that the script seeded its generators with."""
        return self._of_kind("seed")

    @cached_property
    def names(self) -> list[str]:
        """Hexadecimal digits that are a name and no result: of UUIDs, and of the system's random bits."""
        drawn = [event for event in self.events if event.kind == "value" and event.source in NAMES]
        uuids = [uuid.UUID(event.value, version=4).hex for event in drawn if event.source == "uuid.uuid4"]
        return [*uuids, *(event.value for event in drawn if event.source != "uuid.uuid4")]

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers that the system gave its processes, threads and sockets."""
        of_socket = (event for event in self.events if event.kind == "value" and event.source == "socket")
        given = (event for event in self.events if event.kind in ("process", "thread"))
        return frozenset(str(event.value) for event in (*given, *of_socket))

    @cached_property
    def clocks(self) -> dict[str, list[float]]:
        """{clock: its readings} of the script's own process, in order."""
        found: dict[str, list[float]] = {}
        for event in self.events:
            of_time = event.kind == "value" and event.process == "0" and event.source.startswith("time.")
            if of_time and isinstance(event.value, (int, float)):
                found.setdefault(event.source, []).append(event.value)
        return found

    def _of_kind(self, kind: str) -> dict[str, dict[str, list[Any]]]:
        found: dict[str, dict[str, list[Any]]] = {}
        for event in self.events:
            if event.kind == kind:
                found.setdefault(event.process, {}).setdefault(event.key, []).append(event.value)
        return found


def _in_order(tape: Path) -> tuple[bool, list[int]]:
    """The script's own first, then those of processes that it forked, then of others."""
    process = tape.stem.removeprefix("tape-")
    return process.startswith("c"), [int(number) for number in process.removeprefix("c").split(".")]


def _text(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(MOST_PRINTED).decode(errors="replace")


def _events(path: Path) -> list[Event]:
    """A tape as far as it was written."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                told = json.loads(line)
            except ValueError:
                break
            source, _, site = told["key"].partition(SEPARATOR)
            found.append(Event(path.stem[5:], told["kind"], source, site or told["at"], told["value"], told["step"]))
    return found


@dataclass(frozen=True)
class Launch:
    """What is the same for all trials: the script, its arguments, its interpreter, what it reads from standard input."""

    script: str
    arguments: tuple[str, ...]
    python: str
    stdin: bytes
    environment: Mapping[str, str]

    def trial(self, folder: Path, setup: Setup, seconds: float | None) -> Trial:
        """Run it once; folder: a new one for all that is noted. Raises ProgramError where watching itself failed."""
        folder.mkdir(parents=True)
        (folder / "stdin").write_bytes(self.stdin)
        (folder / OPTIONS).write_text(json.dumps(self._watching(folder, setup)), encoding="utf-8")
        options = {"record": {"digest": "", "every": 0, "on_error": "continue"}, "watch": str(folder / OPTIONS)}
        begun = time.monotonic()
        with (
            open(folder / "stdin", "rb") as read,
            open(folder / "stdout", "wb") as out,
            open(folder / "stderr", "wb") as err,
        ):
            how: dict[str, Any] = {"stdin": read, "stdout": out, "stderr": err, "start_new_session": True}
            how["env"] = {**self.environment, **_variables(setup, self.environment)}
            interpreter = [*_fixed(setup), self.python]
            done = launching.run(
                folder / "run", interpreter, self.script, self.arguments, options, seconds=seconds, **how
            )
        took = time.monotonic() - begun
        if not (folder / "tape-0.jsonl").exists():
            why = done.trouble or _text(folder / "stderr")[-2000:] or f"{self.python} is no Python that runs it"
            raise ProgramError(f"{self.script} could not be watched: {why}")
        return Trial(folder, setup, done.exit_status, took, seconds is not None and took >= seconds)

    def _watching(self, folder: Path, setup: Setup) -> dict[str, Any]:
        """What is watched, for the process and those that it starts. home: the script's folder, and where it begins."""
        home = [str(Path(self.script).resolve().parent), os.getcwd()]
        told = {"played": setup.played, "switches": sorted(setup.switches), "edits": dict(setup.edits)}
        return {"folder": str(folder), "home": home, **told}


def _variables(setup: Setup, environment: Mapping[str, str]) -> dict[str, str]:
    found = {} if setup.hash_seed is None else {"PYTHONHASHSEED": setup.hash_seed}
    if ONE_THREAD in setup.switches:
        flags = environment.get("XLA_FLAGS", "")
        found |= THREADS | {"XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen=false".strip()}
    return found


def _fixed(setup: Setup) -> list[str]:
    """What starts a process whose memory is laid out as that of the one before."""
    command = shutil.which("setarch")
    return [command, "-R"] if command and ADDRESSES in setup.switches else []
