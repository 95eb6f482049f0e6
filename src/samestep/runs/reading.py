"""Reads a run: views of its rows, over the files as they lie, without a copy.

Bytes are handed to Arrow and safetensors only after they fit their sum. What was cut or damaged is left out and said, with
all that was written after it.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from safetensors import deserialize

from samestep.errors import DataError, UsageError
from samestep.recording.recorder import LOG
from samestep.runs import format as form
from samestep.runs.format import Segment, Sum
from samestep.runs.writing import END_OF_STREAM

SMALL = 256
"""Blocks are put together up to as many rows: each costs time of its own."""
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
    "BF16": "uint16", "F8_E4M3": "uint8", "F8_E5M2": "uint8",
}  # fmt: skip
"""NumPy's type for each of safetensors', or for its bits."""


class Block(NamedTuple):
    """Some rows of a segment; the columns are views of the file. Digests are pairs of 64 bits each."""

    segment: Segment
    columns: pa.RecordBatch

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.columns.num_rows)

    @property
    def step(self) -> np.ndarray:
        """The number of each row's update, int64 (rows,)."""
        return _view(self.columns.column(0), np.int64)[: self.rows]

    @property
    def time(self) -> np.ndarray:
        """Seconds since 1970, float64 (rows,)."""
        return _view(self.columns.column(1), np.float64)[: self.rows]

    @property
    def batch(self) -> np.ndarray:
        """Digests of batches, uint64 (rows, 2)."""
        return _view(self.columns.column(2), np.uint64)[: 2 * self.rows].reshape(self.rows, 2)

    def scalar(self, place: int) -> np.ndarray:
        """One of the segment's scalars, float64 (rows,)."""
        return _view(self.columns.column(3 + place), np.float64)[: self.rows]

    @property
    def digests(self) -> np.ndarray:
        """Digests of the segment's entries, uint64 (rows, entries, 2)."""
        return self._tensors(-2, np.uint64, 2).reshape(self.rows, -1, 2)

    @property
    def norms(self) -> np.ndarray:
        """Norms of the segment's entries, float64 (rows, entries)."""
        return self._tensors(-1, np.float64, 1)

    def _tensors(self, column: int, dtype: Any, width: int) -> np.ndarray:
        count = len(self.segment.entries)
        if not count:
            return np.zeros((self.rows, 0), dtype)
        found = _view(self.columns.column(self.columns.num_columns + column).values, dtype)
        return found[: self.rows * count * width].reshape(self.rows, count * width)


def _view(column: pa.Array, dtype: Any) -> np.ndarray:
    return np.frombuffer(column.buffers()[1], dtype)


@dataclass(frozen=True)
class Run:
    """A run as far as it can be read.

    blocks: of each source in the order in which they were written. cut: empty, or a sentence that says where the run ends
    before its end, and why.
    """

    folder: Path
    manifest: dict[str, Any]
    segments: tuple[Segment, ...]
    blocks: tuple[Block, ...]
    cut: str

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Read a run; raises UsageError where there is none, DataError where nothing of it can be trusted."""
        folder = Path(folder)
        manifest = _manifest(folder)
        logs = [_read_log(folder, number) for number in range(_count(folder, manifest))]
        pieces = _in_order(logs)
        segments, blocks = _decoded(folder, pieces)
        return cls(folder, manifest, segments, blocks, _cut(manifest, logs, len(pieces), _last_step(blocks)))

    @property
    def status(self) -> str:
        """The manifest's: running, complete, failed or incomplete."""
        return str(self.manifest["status"])

    @property
    def sources(self) -> dict[str, list[Block]]:
        """Each source's blocks."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.segment.source, []).append(block)
        return found

    @property
    def steps(self) -> int:
        """The number of updates; of rows that were logged, where there are no others."""
        return sum(block.rows for block in updates(self.blocks))

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @cached_property
    def damaged_samples(self) -> str:
        """Empty, or a sentence on the whole tensors that are missing or damaged; reads them all."""
        bad = [step for step, found in self._samples.items() if _sample(self.folder, found) is None]
        sums, all_read = self._sample_sums
        if len(sums) != self.manifest["samples"] or not all_read:
            return f"the sums of its whole tensors, {form.SAMPLE_SUMS}, are damaged"
        return f"its whole tensors of the steps {bad} are missing or damaged" if bad else ""

    @property
    def samples(self) -> list[int]:
        """The steps of which there are whole tensors."""
        return list(self._samples)

    def tensors(self, step: int) -> dict[str, np.ndarray]:
        """The whole tensors of a step, by "kind/name", a bfloat16 as its bits; raises DataError where they are damaged."""
        found = self._samples.get(step)
        data = None if found is None else _sample(self.folder, found)
        if data is None:
            raise DataError(f"{self.folder}: there are no undamaged tensors of step {step}. There are: {self.samples}.")
        return {
            name: np.frombuffer(bytes(tensor["data"]), _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
            for name, tensor in deserialize(data)  # type: ignore[no-untyped-call]
        }

    @cached_property
    def _samples(self) -> dict[int, Sum]:
        return {found.number: found for found in self._sample_sums[0]}

    @cached_property
    def _sample_sums(self) -> tuple[list[Sum], bool]:
        return form.read_sums(_bytes(self.folder / form.SAMPLE_SUMS))


def updates(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Those of updates; those that were logged, where there are no others."""
    of_updates = [block for block in blocks if block.segment.source != LOG]
    yield from of_updates or blocks


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / form.MANIFEST
    if not os.path.isfile(path):
        there = os.path.isdir(folder)
        what = f"holds no {form.MANIFEST}, so it is not a run" if there else "there is no such folder"
        raise UsageError(f"{folder}: {what}. Give the folder of a run that samestep record wrote.")
    try:
        return form.read_manifest(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}. Nothing of the run can be trusted; record it anew.") from error


def _bytes(path: Path) -> bytes:
    """The whole of a file; nothing where it is missing or no plain file."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from error


def _count(folder: Path, manifest: dict[str, Any]) -> int:
    """How many logs there are: as many as the manifest counts, and those begun since it was written."""
    count = len(manifest["segments"])
    for number in range(count):
        if not (folder / form.log_name(number)).is_file():
            raise DataError(
                f"{folder}: {form.log_name(number)} is missing, which the manifest counts. Copy the whole folder."
            )
    while (folder / form.log_name(count)).is_file():
        count += 1
    return count


class _Piece(NamedTuple):
    number: int
    log: int
    data: pa.Buffer


class _Read(NamedTuple):
    """The pieces of a log that fit their sums, and where it stops fitting: empty, or file and byte."""

    pieces: list[_Piece]
    damage: str


def _read_log(folder: Path, number: int) -> _Read:
    name = form.log_name(number)
    data = _mapped(folder / name)
    sums, all_read = form.read_sums(_bytes(folder / form.sums_name(name)))
    pieces: list[_Piece] = []
    end = 0
    for told in sums:
        piece = data[told.offset : told.offset + told.length]
        if told.offset != end or len(piece) != told.length or form.checksum(piece, told.number) != told.checksum:
            return _Read(pieces, f"{name} at byte {end}")
        pieces.append(_Piece(told.number, number, pa.py_buffer(piece)))
        end += told.length
    return _Read(pieces, "" if all_read and end == len(data) else f"{name} at byte {end}")


def _mapped(path: Path) -> memoryview:
    try:
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError:  # of an empty file there is no map
        return memoryview(b"")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from error


def _in_order(logs: list[_Read]) -> list[_Piece]:
    """The pieces of all logs as they were written, up to the first that is missing."""
    pieces = sorted((piece for log in logs for piece in log.pieces), key=lambda piece: piece.number)
    whole = next((place for place, piece in enumerate(pieces) if piece.number != place), len(pieces))
    return pieces[:whole]


def _decoded(folder: Path, pieces: list[_Piece]) -> tuple[tuple[Segment, ...], tuple[Block, ...]]:
    heads: dict[int, tuple[Segment, pa.Schema]] = {}
    blocks = []
    try:
        for piece in pieces:
            if piece.log not in heads:
                heads[piece.log] = _head(piece.data)
            elif piece.data.size != len(END_OF_STREAM):
                segment, schema = heads[piece.log]
                blocks.append(Block(segment, pa.ipc.read_record_batch(piece.data, schema)))
    except (pa.ArrowException, ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{folder}: is not as {form.FORMAT} has it: {error}. Another program wrote it wrongly."
        ) from error
    return tuple(segment for segment, _ in heads.values()), tuple(_merged(blocks))


def _merged(blocks: list[Block]) -> Iterator[Block]:
    """Small blocks of a source that follow each other as one; larger ones stay where they lie in the file."""
    groups: list[list[Block]] = []
    last: dict[str, tuple[list[Block], int]] = {}
    for block in blocks:
        group, rows = last.get(block.segment.source, ([], 0))
        if not group or group[0].segment is not block.segment or rows + block.rows > SMALL:
            group, rows = [], 0
            groups.append(group)
        group.append(block)
        last[block.segment.source] = group, rows + block.rows
    for group in groups:
        yield group[0] if len(group) == 1 else Block(group[0].segment, _concatenated([b.columns for b in group]))


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _head(data: pa.Buffer) -> tuple[Segment, pa.Schema]:
    schema = pa.ipc.read_schema(data)
    segment = Segment.from_head(json.loads(schema.metadata[form.HEAD]))
    if not schema.equals(segment.schema()):
        raise ValueError("the columns of a segment are not those that its head tells of")
    return segment, schema


def _last_step(blocks: tuple[Block, ...]) -> int | None:
    return max((int(block.step[-1]) for block in updates(blocks) if block.rows), default=None)


def _cut(manifest: dict[str, Any], logs: list[_Read], pieces: int, last: int | None) -> str:
    """Why the run ends before its end, and how far it can be read."""
    damage = ", ".join(log.damage for log in logs if log.damage)
    readable = "nothing of it can be read" if last is None else f"everything up to step {last} can be read"
    if manifest["status"] == "running":
        return f"it was not ended: it is still being recorded, or what recorded it was killed; {readable}"
    if manifest["status"] == "incomplete":
        return f"it is incomplete: {manifest['note']}; {readable}"
    if damage or pieces != manifest["pieces"]:
        return f"it was cut or damaged{damage and f' in {damage}'}; {readable}"
    return ""


def _sample(folder: Path, found: Sum) -> bytes | None:
    """The bytes of a file of whole tensors, if they fit their sum."""
    data = _bytes(folder / form.sample_name(found.number))
    return data if found == Sum(found.number, 0, len(data), form.checksum(data, found.number)) else None
