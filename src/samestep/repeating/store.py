"""Values on disk: a file for each group, one line for each run, written to the disk before the next thing happens.

`FOLDER/GROUP.jsonl` begins with a line that says what the values depend on; every other line is what came of a seed. A line is
{"entry": …, "sum": xxh3-64 of the entry}: one that does not fit its sum, as the last one of a process that was killed, counts
for nothing and its seed is run again. The last entry of a seed counts. One process at a time has a file open.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xxhash

from samestep.errors import UsageError
from samestep.repeating.one_run import Outcome

FORMAT = "samestep/repeat-values/1"


class Store:
    """The values of one group; to be used in a `with` block, which holds the file's lock."""

    def __init__(self, folder: Path, name: str, depends_on: Mapping[str, str], together: str = "") -> None:
        """Open the file of this group, or begin it.

        depends_on: what values depend on, {what: digest or value}. together: the engine, where it computes the values of many
        seeds together, so that in their last bits they may depend on which these are. Raises UsageError where the file cannot
        be used, another process writes it, or its values depend on something else.
        """
        self.name, self.path = name, _path(folder, name, together)
        self.outcomes: dict[int, Outcome] = {}
        self.note = ""
        self._together, self._begun = bool(together), list[list[int]]()
        self._depends_on = dict(depends_on)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be written: {error.strerror}. Name a folder: --folder FOLDER"
            ) from error
        try:
            self._lock()
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the file."""
        os.close(self._file)

    def lacks(self, seed: int, retry_failed: bool = False) -> bool:
        """Whether a seed is still to be run; one that has failed is only to be run again."""
        return seed not in self.outcomes or (retry_failed and bool(self.outcomes[seed].error))

    def missing(self, seeds: Sequence[int], retry_failed: bool = False) -> list[int]:
        """The seeds that are to be run now for these to have values.

        Those that are computed together are run again as they were begun, if a killed process has left some of them, and what
        else is missing after them.
        """
        found = [seed for seed in seeds if self.lacks(seed, retry_failed)]
        if not self._together:
            return found
        again = {seed for begun in self._begun if any(seed in found for seed in begun) for seed in begun}
        new = [seed for seed in found if seed not in again]
        if new:
            self._begun.append(new)
            self._append({"begun": new})
        return sorted(again) or new

    def add(self, outcome: Outcome) -> None:
        """Keep what came of a run; on the disk when this returns.

        Raises UsageError where it was run by other versions than those before, which makes their values no repeats.
        """
        self._check_versions(outcome)
        self._append({**asdict(outcome), "metrics": {n: _written(v) for n, v in outcome.metrics.items()}})
        self.outcomes[outcome.seed] = outcome

    def add_note(self, note: str) -> None:
        """Keep what a person should know of all these values."""
        if note != self.note:
            self._append({"note": note})
            self.note = note

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{self.path}: another samestep is writing it. Wait for it, or give this one a folder of its own: "
                "--folder FOLDER"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be locked: {error.strerror}. Name a folder: --folder FOLDER"
            ) from error

    def _begin(self) -> None:
        entries, end = _entries(self._read())
        header = entries.pop(0) if entries and "format" in entries[0] else None
        self.outcomes = {entry["seed"]: _outcome(entry) for entry in entries if "seed" in entry}
        self._begun = [entry["begun"] for entry in entries if "begun" in entry]
        self.note = next((entry["note"] for entry in reversed(entries) if "note" in entry), "")
        if any(not outcome.error for outcome in self.outcomes.values()):
            self._check(header or {})
        if header and header["format"] == FORMAT and header["depends on"] == self._depends_on:
            os.ftruncate(self._file, end)  # what a killed process left of a line
            return
        self.outcomes, self._begun, self.note = {}, [], ""
        os.ftruncate(self._file, 0)
        self._append({"format": FORMAT, "name": self.name, "depends on": self._depends_on})
        _sync_folder(self.path.parent)

    def _check(self, header: dict[str, Any]) -> None:
        """Raise UsageError if the values that are here are of something else."""
        if header.get("format") != FORMAT:
            raise UsageError(f"{self.path}: is no file of values that this samestep can read. {self._ways_out()}")
        there, here = header["depends on"], self._depends_on
        changed = [what for what in {**there, **here} if there.get(what) != here.get(what)]
        if changed:
            told = "; ".join(_change(what, there.get(what), here.get(what)) for what in changed)
            raise UsageError(
                f"{self.name}: {self.path} holds {len(self.outcomes)} values of something else: {told}.\n"
                f"Values of two programs are never mixed. {self._ways_out()}"
            )

    def _check_versions(self, outcome: Outcome) -> None:
        before = next((o.versions for o in self.outcomes.values() if o.versions), {})
        changed = [name for name in before if outcome.versions.get(name) != before[name]] if outcome.versions else []
        if changed:
            told = ", ".join(f"{name} {before[name]} then, {outcome.versions.get(name)} now" for name in changed)
            raise UsageError(f"{self.name}: {self.path} holds values of other versions: {told}.\n{self._ways_out()}")

    def _ways_out(self) -> str:
        return f"Begin a new set with --folder FOLDER, or remove the old one: rm {self.path}"

    def _read(self) -> bytes:
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps({"entry": entry, "sum": _sum(entry)}, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            os.lseek(self._file, 0, os.SEEK_END)
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            raise UsageError(
                f"{self.path}: could not be written: {error.strerror}. Values before it are kept; make room and start again."
            ) from error


def _entries(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The entries whose lines fit their sums, and where the last whole line ends."""
    end = content.rfind(b"\n") + 1
    found = [_entry(line) for line in content[:end].splitlines()]
    return [entry for entry in found if entry is not None], end


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        held = json.loads(line)
        entry: dict[str, Any] = held["entry"]
        return entry if held["sum"] == _sum(entry) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _sum(entry: dict[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(entry, sort_keys=True).encode())


def _outcome(entry: dict[str, Any]) -> Outcome:
    return Outcome(**{**entry, "metrics": {name: float(value) for name, value in entry["metrics"].items()}})


def _written(value: float) -> float | str:
    """A number as JSON holds it, by name where JSON has none."""
    return value if math.isfinite(value) else str(value)


def _change(what: str, then: str | None, now: str | None) -> str:
    if what.startswith("the file ") or what == "the data":
        return f"{what} has changed" if then and now else f"{what} {'is gone' if then else 'is new'}"
    return f"{what}: {then} then, {now} now"


def holds_values(folder: Path, name: str) -> bool:
    """Whether there are values of plain runs of this group."""
    try:
        entries, _ = _entries(_path(folder, name, "").read_bytes())
    except OSError:
        return False
    return any("seed" in entry and not entry["error"] for entry in entries)


def _path(folder: Path, name: str, together: str) -> Path:
    return folder / f"{_slug(name)}{'.' if together else ''}{together}.jsonl"


def _slug(name: str) -> str:
    """A file's name for a group; with some of its digest where the name says too little."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    if len(name) < 80 and re.fullmatch(r"\w[\w:-]*(?:[./]\w[\w:-]*)*", name):
        return plain
    return f"{plain[:60]}-{xxhash.xxh3_64_hexdigest(name.encode())[:8]}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
