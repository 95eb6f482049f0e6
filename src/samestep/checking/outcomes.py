"""What a trial led to, and the first difference of two: in training, exit status, what is printed, files that are left."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from samestep.checking import printed
from samestep.checking.trials import Trial
from samestep.runs.diffing import diff

TRAINING, STATUS, PRINTED, FILE = range(4)
"""Kinds of outcomes, in the order in which they are compared."""
TEXTS = (".json", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".jsonl", ".md")
ARRAYS, BYTES = (".npz",), (".npy", ".pkl", ".pickle", ".bin", ".dat")
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


def first_difference(left: Trial, right: Trial, *, in_order: bool = True) -> Found | None:
    """Where two trials differ first; None where nothing does.

    in_order: whether the order of printed lines counts, which it does not where several threads or processes print.
    """
    return _training(left, right) or _status(left, right) or _printed(left, right, in_order) or _files(left, right)


def anything(trial: Trial) -> bool:
    """Whether there is anything to compare."""
    return bool(better_than_log(trial) or printed.lines(trial.said))


def better_than_log(trial: Trial) -> bool:
    """Whether it left anything beside what it wrote to standard error, where warnings and logs are."""
    return bool(trial.run.steps or printed.lines(trial.printed) or _left_files(trial))


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
    ours, theirs = (printed.lines(trial.said if logs else trial.printed) for trial in (left, right))
    if not in_order:
        ours, theirs = sorted(ours), sorted(theirs)
    found = _lines(ours, theirs, left, right)
    return None if found is None else Found((PRINTED, found[0]), "printed line", str(found[0] + 1), None, *found[1:])


def _lines(ours: list[str], theirs: list[str], left: Trial, right: Trial) -> tuple[int, str | None, str | None] | None:
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
    """A line without the numbers of the trial's processes, and without its random names."""
    numbers = frozenset(str(event.value) for event in trial.events if event.kind == "process")
    return None if line is None else printed.without(line, numbers, trial.names)


def _files(left: Trial, right: Trial) -> Found | None:
    ours, theirs = _left_files(left), _left_files(right)
    for number, name in enumerate(sorted(ours.keys() & theirs.keys())):
        if ours[name] != theirs[name]:
            texts = [_noted(left, ours[name]), _noted(right, theirs[name])]
            known = texts[0] is not None and texts[1] is not None
            found = _lines(texts[0] or [], texts[1] or [], left, right) if known else (0, ours[name], theirs[name])
            if found is not None:
                return Found((FILE, number), "file", name, None, *found[1:])
    return None


def _noted(trial: Trial, digest: str) -> list[str] | None:
    """The lines that count of a text of this digest, if it was kept."""
    path = trial.folder / digest
    return path.read_text(encoding="utf-8").split("\n") if path.is_file() else None


def _left_files(trial: Trial) -> dict[str, str]:
    told: dict[str, str] = dict(line.split("\t") for line in (trial.folder / "files").read_text().splitlines())
    return told


def digest_files(trial: Trial) -> None:
    """Note digests of what it wrote, at once: the next trial writes the same files."""
    found = {}
    before = {event.source: event.value for event in trial.events if event.kind == "append"}
    for event in trial.events:
        if event.kind == "write" and event.source not in found and "\t" not in event.source:
            digest = _digest(Path(event.source), before.get(event.source, 0), trial.folder)
            if digest:
                found[event.source] = digest
    (trial.folder / "files").write_text("".join(f"{name}\t{digest}\n" for name, digest in found.items()))


def _digest(path: Path, begin: int, folder: Path) -> str:
    """Of what is in a file whose kind is known, of text from a byte on; empty for others, which may hold the time of writing.

    folder: where the lines of short texts are kept, under their digests.
    """
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return ""
        if path.suffix in TEXTS:
            text = path.read_bytes()[begin:].decode(errors="replace")
            counted = "\n".join(printed.lines(text))
            digest = _hashed(counted.encode())
            if len(counted) < MOST_KEPT:
                (folder / digest).write_text(counted, encoding="utf-8")
            return digest
        if path.suffix in ARRAYS:
            return _hashed(b"".join(_members(path.read_bytes())))
        return _hashed(path.read_bytes()) if path.suffix in BYTES else ""
    except (OSError, zipfile.BadZipFile):
        return ""


def _members(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [name.encode() + archive.read(name) for name in sorted(archive.namelist())]


def _hashed(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
