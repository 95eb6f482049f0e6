"""What the files of a run look like. docs/reference/run-format.md says it to programs in any language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import xxhash

from samestep.recording.digests import SIZE
from samestep.recording.recorder import Entry

FORMAT = "samestep/run/1"
MANIFEST = "manifest.json"
TENSORS = "tensors"
SAMPLE_SUMS = "tensors.sums"
HEAD = b"samestep"
"""The key of a segment's head in the metadata of its Arrow schema."""
SCALAR = "scalar."
"""Beginning of the name of a scalar's column."""
STATUSES = ("running", "complete", "failed", "incomplete")


@dataclass(frozen=True)
class Segment:
    """Rows of one source with the same tensors and scalars; digest: the name of the algorithm; framework: empty if unknown."""

    source: str
    entries: tuple[Entry, ...]
    scalars: tuple[str, ...]
    digest: str
    framework: str = ""

    @classmethod
    def from_head(cls, head: Mapping[str, Any]) -> Segment:
        """What the recording process, or the metadata of an Arrow schema, says of a segment."""
        entries = tuple(Entry(kind, name, dtype, tuple(shape)) for kind, name, dtype, shape in head["entries"])
        framework = str(head.get("framework", ""))
        return cls(str(head["source"]), entries, tuple(head["scalars"]), str(head["digest"]), framework)

    def head(self) -> str:
        """The segment as JSON, which from_head reads."""
        head = {"source": self.source, "entries": self.entries, "scalars": self.scalars, "digest": self.digest}
        return json.dumps({**head, "framework": self.framework} if self.framework else head)

    def schema(self) -> pa.Schema:
        """The Arrow schema of its rows; without tensors there are no digests and norms."""
        digest, count = pa.binary(SIZE), len(self.entries)
        fields = [("step", pa.int64()), ("time", pa.float64()), ("batch", digest)]
        fields += [(SCALAR + _encodable(name), pa.float64()) for name in self.scalars]
        if count:
            fields += [("digests", _list_of(digest, count)), ("norms", _list_of(pa.float64(), count))]
        return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields], metadata={HEAD: self.head()})


def _list_of(kind: pa.DataType, count: int) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False), count)


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def log_name(number: int) -> str:
    """The file of a segment's rows."""
    return f"steps-{number:04d}.arrows"


def sums_name(log: str) -> str:
    """The file that guards the pieces of such a file."""
    return log.removesuffix(".arrows") + ".sums"


def sample_name(step: int) -> str:
    """The file of whole tensors, below the folder of a run."""
    return f"{TENSORS}/step-{step:08d}.safetensors"


def checksum(data: Any, number: int) -> str:
    """XXH3 of a piece, 128 bits in hexadecimal, with the piece's number as the seed."""
    return xxhash.xxh3_128_hexdigest(data, seed=number)


@dataclass(frozen=True)
class Sum:
    """A line of a file of sums: the number of the piece among all of the run, its place, its checksum."""

    number: int
    offset: int
    length: int
    checksum: str

    def line(self) -> bytes:
        """As written; there is one way only to write it, so no byte can change unnoticed."""
        return f"{self.number} {self.offset} {self.length} {self.checksum}\n".encode()


_SUM = re.compile(rb"(0|[1-9][0-9]{0,17}) (0|[1-9][0-9]{0,17}) (0|[1-9][0-9]{0,17}) ([0-9a-f]{32})")


def read_sums(data: bytes) -> tuple[list[Sum], bool]:
    """The lines up to the first that is none, and whether that is all of them."""
    sums: list[Sum] = []
    *lines, rest = data.split(b"\n")
    for line in lines:
        found = _SUM.fullmatch(line)
        if found is None:
            return sums, False
        number, offset, length = (int(figure) for figure in found.groups()[:3])
        sums.append(Sum(number, offset, length, found[4].decode()))
    return sums, not rest


_OPENING = f'{{\n "format": "{FORMAT}",\n "checksum": "'.encode()
_ANY_OPENING = re.compile(rb'\{\n "format": "(samestep/run/[0-9]+)",\n "checksum": "')


def write_manifest(fields: Mapping[str, Any]) -> bytes:
    """The manifest as JSON, whose checksum is of all that stands after it."""
    text = json.dumps({"format": FORMAT, "checksum": "", **fields}, indent=1).encode() + b"\n"
    rest = text.removeprefix(_OPENING)
    return _OPENING + checksum(rest, 0).encode() + rest


def read_manifest(data: bytes) -> dict[str, Any]:
    """The fields of a manifest; raises ValueError that says what is wrong with it."""
    found = _ANY_OPENING.match(data)
    if found is None:
        raise ValueError(f"does not begin as a manifest of {FORMAT} does")
    if found[1].decode() != FORMAT:
        raise ValueError(f"is of the format {found[1].decode()}, and this samestep reads {FORMAT}")
    told, rest = data[found.end() : found.end() + 32], data[found.end() + 32 :]
    if told != checksum(rest, 0).encode():
        raise ValueError("is damaged: its checksum does not fit")
    fields: dict[str, Any] = json.loads(data)
    problem = next((name for name, kinds in _FIELDS.items() if not isinstance(fields.get(name), kinds)), None)
    if problem is not None:
        raise ValueError(f"holds no proper {problem!r}")
    return fields


_FIELDS: dict[str, Any] = {
    "status": str, "note": str, "exit_status": int | None, "command": list, "script": dict, "started": str,
    "ended": str | None, "samestep": str, "digest": str, "environment": dict, "segments": list, "pieces": int,
    "samples": int,
}  # fmt: skip


def _object(properties: Mapping[str, Any], more: bool = False, optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": more}


_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
_CHECKSUM = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"}
_VERSIONS = {"type": "object", "additionalProperties": _TEXT}
_ENVIRONMENT = {
    "python": _TEXT, "implementation": _TEXT, "platform": _TEXT, "machine": _TEXT, "processor": _TEXT, "cpus": _COUNT,
    "flags": _VERSIONS, "packages": _VERSIONS, "accelerators": {"type": "array", "items": _TEXT},
    "git": _object({"commit": _TEXT, "changed": {"type": "boolean"}}, optional=("commit", "changed")),
}  # fmt: skip
_SEGMENT = {"file": {"type": "string", "pattern": r"^steps-\d{4,}\.arrows$"}, "source": _TEXT, "rows": _COUNT}

MANIFEST_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        {
            "format": {"const": FORMAT},
            "checksum": _CHECKSUM,
            "status": {"enum": list(STATUSES)},
            "note": _TEXT,
            "exit_status": {"type": ["integer", "null"]},
            "command": {"type": "array", "items": _TEXT},
            "script": _object({"path": _TEXT, "digest": {"anyOf": [_CHECKSUM, {"type": "null"}]}}),
            "started": _TIME,
            "ended": {"anyOf": [_TIME, {"type": "null"}]},
            "samestep": _TEXT,
            "digest": _TEXT,
            "environment": _object(_ENVIRONMENT, more=True, optional=tuple(_ENVIRONMENT)),
            "segments": {"type": "array", "items": _object(_SEGMENT)},
            "pieces": _COUNT,
            "samples": _COUNT,
        }
    ),
}
"""The schema of a manifest."""
