"""What a trial led to, and the first difference of two: in training, exit status, what is printed, files that are left."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from samestep.checking import printed, tables
from samestep.checking.trials import Trial
from samestep.runs.diffing import diff

TRAINING, STATUS, PRINTED, FILE, VEILED = range(5)
"""Kinds of outcomes, in the order in which they are compared."""
TEXTS = (".json", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".jsonl", ".md", ".log")
COLUMNS = {".csv": ",", ".tsv": "\t"}
LOGS = (".log", ".txt")
"""Texts that threads may write to in any order."""
ARRAYS, BYTES = (".npz",), (".npy", ".pkl", ".pickle", ".joblib", ".bin", ".dat")
LARGEST = 256 << 20
MOST_KEPT = 1 << 20
"""Characters of a text that is kept to be compared line by line."""


@dataclass(frozen=True)
class Found:
    """The first difference of two trials. place: grows with how late it is. step: None outside of training."""

    place: tuple[int, int]
    what: str
    name: str
    step: int | None
    left: Any
    right: Any


@dataclass(frozen=True)
class Left:
    """A file that a trial left. digest: of what counts of it, empty if that is not known; raw: of all that it wrote there."""

    path: str
    digest: str
    raw: str


def first_difference(left: Trial, right: Trial, *, in_order: bool = True) -> Found | None:
    """Where two trials differ first; None where nothing does.

    in_order: whether the order of printed lines counts, which it does not where several threads or processes print.
    """
    return (
        _training(left, right)
        or _status(left, right)
        or _printed(left, right, in_order)
        or _files(left, right, in_order)
    )


def anything(trial: Trial) -> bool:
    """Whether there is anything to compare."""
    return bool(better_than_log(trial) or printed.lines(trial.said))


def better_than_log(trial: Trial) -> bool:
    """Whether it left anything beside what it wrote to standard error, where warnings and logs are."""
    return bool(
        trial.run.steps or printed.lines(trial.printed) or any(file.digest for file in left_files(trial).values())
    )


def metric(trial: Trial) -> tuple[str, float] | None:
    """The name and value of the final metric: the last number printed, else the last loss."""
    found = printed.last_number(trial.printed)
    if found is not None:
        return found
    for block in reversed(trial.run.blocks):
        names = block.segment.scalars
        name = next((name for name in ("val_accuracy", "accuracy", "val_loss", "loss") if name in names), None)
        if name is not None and block.rows:
            return name, float(block.scalar(names.index(name))[-1])
    return None


def _training(left: Trial, right: Trial) -> Found | None:
    if not left.run.steps and not right.run.steps:
        return None
    first = diff(left.run, right.run).first_difference
    if first is None:
        return _lengths(left, right)
    return Found((TRAINING, first.step), first.kind, first.name, first.step, first.left, first.right)


def _lengths(left: Trial, right: Trial) -> Found | None:
    """A training that was cut is as long as the other, or differs where it ends."""
    steps = left.run.steps, right.run.steps
    if steps[0] == steps[1]:
        return None
    return Found((TRAINING, min(steps)), "number of steps", "", min(steps), *steps)


def _status(left: Trial, right: Trial) -> Found | None:
    if left.exit_status == right.exit_status:
        return None
    return Found((STATUS, 0), "exit status", "", None, left.exit_status, right.exit_status)


def _printed(left: Trial, right: Trial, in_order: bool) -> Found | None:
    logs = not better_than_log(left) and not better_than_log(right)
    ours: Sequence[str]
    theirs: Sequence[str]
    ours, theirs = (printed.lines(trial.said if logs else trial.printed) for trial in (left, right))
    if not in_order:
        ours, theirs = _sorted(ours, left), _sorted(theirs, right)
    found = _lines(ours, theirs, left, right)
    return None if found is None else Found((PRINTED, found[0]), "printed line", str(found[0] + 1), None, *found[1:])


def _sorted(lines: Sequence[str], trial: Trial) -> list[str]:
    return sorted(lines, key=lambda line: _without(line, trial) or "")


def _lines(
    ours: Sequence[str], theirs: Sequence[str], left: Trial, right: Trial
) -> tuple[int, str | None, str | None] | None:
    """The number of the first line that is not the same, and what it is in both."""
    for number, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one != other and not _same(_without(one, left), _without(other, right), left, right):
            return number, one, other
    return None


def _same(ours: str | None, theirs: str | None, left: Trial, right: Trial) -> bool:
    """Whether two lines are the same but for times that the script measured itself."""
    if ours is None or theirs is None or ours == theirs:
        return ours == theirs
    return printed.only_times(ours, theirs, left.clocks, right.clocks)


def _without(line: str | None, trial: Trial) -> str | None:
    """A line without the numbers of the trial's processes, threads and ports, and without its random names."""
    numbers = trial.numbers
    return None if line is None else printed.without(line, numbers, trial.names)


def _files(left: Trial, right: Trial, in_order: bool) -> Found | None:
    ours, theirs = left_files(left), left_files(right)
    for number, name in enumerate(sorted(ours.keys() & theirs.keys())):
        one, other = ours[name], theirs[name]
        if one.digest != other.digest:
            texts = [kept(trial, file.digest) for trial, file in ((left, one), (right, other))]
            known = texts[0] is not None and texts[1] is not None
            lines = [(text or "").split("\n") for text in texts]
            if not in_order and one.path.endswith(LOGS):
                lines = [_sorted(some, trial) for some, trial in zip(lines, (left, right), strict=True)]
            found = _lines(lines[0], lines[1], left, right) if known else (0, one.digest, other.digest)
            if found is not None:
                return Found((FILE, number), "file", one.path, None, *found[1:])
    return None


def kept(trial: Trial, digest: str) -> str | None:
    """The text of this digest, if it was kept."""
    path = trial.folder / f"kept-{digest}"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def left_files(trial: Trial) -> dict[str, Left]:
    """What it wrote, by paths in which times and random names are masked; those that are then the same have a number."""
    found: dict[str, Left] = {}
    for line in (trial.folder / "files").read_text(encoding="utf-8").splitlines():
        file = Left(*line.split("\t"))
        key = "/".join(printed.without(printed.masked(part), frozenset(), trial.names) for part in file.path.split("/"))
        while key in found:
            key += "+"
        found[key] = file
    return found


def digest_files(trial: Trial, more: Iterable[Path] = ()) -> None:
    """Note digests of what it wrote, at once: the next trial writes the same files. more: files that no tape tells of."""
    found: dict[str, tuple[str, str]] = {}
    before = {event.source: event.value for event in trial.events if event.kind == "append"}
    written = [event.source for event in trial.events if event.kind == "write"]
    for name in dict.fromkeys([*written, *map(str, more)]):
        digests = _digests(Path(name), before.get(name, 0), trial.folder)
        if digests is not None and not set("\t\n") & set(name):
            found[name] = digests
    told = "".join("\t".join((name, *digests)) + "\n" for name, digests in found.items())
    (trial.folder / "files").write_text(told, encoding="utf-8")


def _digests(path: Path, begin: int, folder: Path) -> tuple[str, str] | None:
    """Of what counts in a file, if its kind is known, and of all that is in it; of text from a byte on.

    folder: where short texts are kept, under their digests.
    """
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        data = path.read_bytes()
        if path.suffix in TEXTS:
            text = data[begin:].decode(errors="replace")
            if path.suffix in COLUMNS:
                rows = tables.rows(printed.as_shown(text), COLUMNS[path.suffix])
                return _kept("\n".join(map(printed.masked, rows)), folder), _kept(text, folder)
            return _kept("\n".join(printed.lines(text)), folder), _kept(text, folder)
        if path.suffix in ARRAYS:
            return (digest := _hashed(b"".join(_members(data)))), digest
        counted = _hashed(tables.pickled(data)) if path.suffix in BYTES else ""
        return counted, _hashed(data)
    except (OSError, zipfile.BadZipFile):
        return None


def _kept(text: str, folder: Path) -> str:
    digest = _hashed(text.encode())
    if len(text) < MOST_KEPT:
        (folder / f"kept-{digest}").write_text(text, encoding="utf-8")
    return digest


def _members(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [name.encode() + archive.read(name) for name in sorted(archive.namelist())]


def _hashed(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
