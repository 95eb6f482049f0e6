"""Writes a run: what the recording process sends, into a folder of its own.

Each piece is handed to the operating system before its sum is, so a reader takes no piece that is not whole, and a writer
that is killed loses no more than the last block of rows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, TensorSpec, serialize

from samestep import __version__
from samestep.errors import DataError, UsageError
from samestep.runs import format as form
from samestep.runs.format import Segment, Sum

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""Ends an Arrow stream."""


class _Log:
    """The file of one segment, and the file of its sums."""

    def __init__(self, folder: Path, number: int, segment: Segment) -> None:
        self.name, self.segment, self.schema = form.log_name(number), segment, segment.schema()
        self.rows = self.length = 0
        self._file, self._sums = folder / self.name, folder / form.sums_name(self.name)

    def add(self, piece: Any, number: int) -> None:
        """Append a piece, then its sum."""
        _append(self._file, piece)
        _append(self._sums, Sum(number, self.length, len(piece), form.checksum(piece, number)).line())
        self.length += len(piece)


class RunWriter:
    """Writes one run into a folder that it creates.

    command: the command line, word by word. script: the file that is recorded. Raises UsageError where the folder exists or
    cannot be created.
    """

    def __init__(self, folder: str | Path, command: Sequence[str], script: str | Path) -> None:
        self.folder = Path(folder)
        self.why = ""
        """Why the run is incomplete; nothing is written any more then."""
        self._logs: list[_Log] = []
        self._current: dict[str, _Log] = {}
        self._pieces = self._samples = 0
        self._ended: int | None = None
        self._fields: dict[str, Any] = {
            "status": "running", "note": "", "exit_status": None, "command": [str(word) for word in command],
            "script": {"path": str(script), "digest": _digest_of(script)}, "started": _now(), "ended": None,
            "samestep": __version__, "digest": "", "environment": {},
        }  # fmt: skip
        self._create()

    @property
    def rows(self) -> int:
        """Updates written so far."""
        return sum(log.rows for log in self._logs)

    def take(self, message: Mapping[str, Any]) -> None:
        """Write what one message of a Recorder says.

        Raises DataError once if that cannot be written; what was written before stays readable, and later messages are
        left out.
        """
        if self.why:
            return
        try:
            self._take(message)
        except OSError as error:
            self.why = f"it could not be written further: {error.strerror}"
            raise self._unwritten(error) from error

    def close(self, exit_status: int | None = None, note: str = "") -> None:
        """Write the final manifest: complete, failed (an exit status other than 0), or incomplete, with the reason.

        exit_status: of the recorded process; what it said itself, where it is not known. note: why the run is incomplete, if
        it is. Raises DataError where the manifest cannot be written; the run is one that was not ended then.
        """
        note = note or self.why or ("" if self._ended is not None else "the process ended before its recording did")
        try:
            for log in self._logs if not self.why else ():
                self._piece(log, END_OF_STREAM)
        except OSError as error:
            note = f"it could not be written to its end: {error.strerror}"
        exit_status = self._ended if exit_status is None else exit_status
        status = "incomplete" if note else "failed" if exit_status else "complete"
        self._fields |= {"status": status, "note": note, "exit_status": exit_status, "ended": _now()}
        try:
            self._write_manifest()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> DataError:
        return DataError(
            f"{self.folder}: the run could not be written further: {error.strerror}. What was written before can be "
            "read. Make room, and record into another folder."
        )

    def _take(self, message: Mapping[str, Any]) -> None:
        if "segment" in message:
            self._begin(Segment.from_head(message["segment"]))
        elif "rows" in message:
            self._add(self._current[message["source"]], message["rows"])
        elif "tensors" in message:
            self._sample(message["step"], message["tensors"], message["dtypes"])
        elif "failed" in message:
            self.why = str(message["failed"])
        elif "environment" in message:
            self._ended = message.get("ended", self._ended)
            told = {"environment": message["environment"], "digest": message.get("digest", self._fields["digest"])}
            self._fields |= told
            self._write_manifest()

    def _create(self) -> None:
        try:
            os.mkdir(self.folder)
            self._write_manifest()
        except FileExistsError as error:
            raise UsageError(
                f"{self.folder}: exists already. A run is written into a folder of its own: name another one, or remove this."
            ) from error
        except OSError as error:
            raise UsageError(
                f"{self.folder}: cannot be created: {error.strerror}. Name a folder in a place that you may write to."
            ) from error

    def _begin(self, segment: Segment) -> None:
        """A source may come back to tensors and scalars that it had before: its rows go where those are then."""
        log = next((log for log in self._logs if log.segment == segment), None)
        if log is None:
            log = _Log(self.folder, len(self._logs), segment)
            self._piece(log, log.schema.serialize())
            self._logs.append(log)
        self._current[segment.source] = log

    def _add(self, log: _Log, rows: Mapping[str, np.ndarray]) -> None:
        count = len(rows["step"])
        if count:
            batch = pa.RecordBatch.from_arrays(_columns(rows, log.schema), schema=log.schema)
            self._piece(log, batch.serialize())
            log.rows += count

    def _piece(self, log: _Log, piece: Any) -> None:
        log.add(piece, self._pieces)
        self._pieces += 1

    def _sample(self, step: int, tensors: Mapping[str, np.ndarray], dtypes: Mapping[str, str]) -> None:
        os.makedirs(self.folder / form.TENSORS, exist_ok=True)
        data = _safetensors(tensors, dtypes)
        _append(self.folder / form.sample_name(step), data)
        _append(self.folder / form.SAMPLE_SUMS, Sum(step, 0, len(data), form.checksum(data, step)).line())
        self._samples += 1

    def _write_manifest(self) -> None:
        segments = [{"file": log.name, "source": log.segment.source, "rows": log.rows} for log in self._logs]
        counts = {"segments": segments, "pieces": self._pieces, "samples": self._samples}
        temporary = self.folder / f"{form.MANIFEST}.new"
        temporary.write_bytes(form.write_manifest({**self._fields, **counts}))
        os.replace(temporary, self.folder / form.MANIFEST)


def _append(path: Path, data: Any) -> None:
    with open(path, "ab") as file:
        file.write(data)


def _columns(rows: Mapping[str, np.ndarray], schema: pa.Schema) -> list[pa.Array]:
    """The columns in the schema's order, bit for bit."""
    scalars = np.ascontiguousarray(rows["scalars"].T, np.float64)
    found = [rows["step"], rows["time"], rows["batch"], *scalars, rows["digests"], rows["norms"]][: len(schema)]
    count = len(rows["step"])
    return [
        _column(np.ascontiguousarray(values), field.type, count) for values, field in zip(found, schema, strict=True)
    ]


def _column(values: np.ndarray, kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        items = _column(values, kind.value_type, count * kind.list_size)
        return pa.FixedSizeListArray.from_arrays(items, type=kind)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(values)])


def _safetensors(tensors: Mapping[str, np.ndarray], dtypes: Mapping[str, str]) -> bytes:
    """The tensors that the format knows, such as no strings; a bfloat16 comes as its bits."""
    specs, kept = {}, []
    for name, array in tensors.items():
        array = np.asarray(array, order="C")
        try:
            specs[name] = TensorSpec(
                dtype=dtypes[name], shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes
            )
        except SafetensorError:
            continue  # its digest is in the log
        kept.append(array)  # serialize is given addresses only
    return bytes(serialize(specs))


def _digest_of(script: str | Path) -> str | None:
    try:
        return form.checksum(Path(script).read_bytes(), 0)
    except OSError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat()
