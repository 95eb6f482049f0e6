"""Frames on the line between parent and child: a JSON header, then the arrays as raw bytes.

A frame is ``b"SAME"``, the header's length (uint32), the payload's length (uint64), both
little-endian, the header (UTF-8 JSON) and the payload. In the header an array stands as
``{"$array": [dtype, shape, offset]}`` with its offset into the payload. Nothing is pickled, so
reading a frame runs no code. Runs on Python 3.7 with NumPy only.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any, BinaryIO

import numpy as np

MAGIC = b"SAME"
PREFIX = struct.Struct("<4sIQ")
ALIGNMENT = 16
ARRAY = "$array"
DTYPE = re.compile(r"[<>|][biufc][0-9]{1,2}")
"""The dtypes that a frame may hold: booleans, integers, floats and complex numbers; no objects, strings or records."""
LARGEST_PAYLOAD = 1 << 40
"""More bytes than any state holds: a frame that claims more is foreign."""
CHUNK = 1 << 24
"""Bytes that are allocated before any has arrived; from there on a buffer at most doubles what has."""


def write(stream: BinaryIO, message: Any) -> None:
    """Write one message, a tree of dicts, lists, scalars and arrays, to a binary stream.

    Raises TypeError or ValueError, before the first byte is written, for what no frame can hold.
    """
    blocks: list[bytes] = []
    header = json.dumps(_pack(message, blocks)).encode("utf-8")
    stream.write(PREFIX.pack(MAGIC, len(header), _size(blocks)))
    stream.write(header)
    for block in blocks:
        stream.write(block)
    stream.flush()


def read(stream: BinaryIO) -> Any:
    """Read one message; raises EOFError at the end of the stream, ValueError on a foreign frame."""
    magic, header_size, payload_size = PREFIX.unpack(_read_exactly(stream, PREFIX.size))
    if magic != MAGIC:
        raise ValueError("not a samestep frame: it starts with {!r}".format(magic))
    if payload_size > LARGEST_PAYLOAD:
        raise ValueError("not a samestep frame: it claims {} bytes of payload".format(payload_size))
    header = _read_exactly(stream, header_size)
    payload = _read_exactly(stream, payload_size)
    try:
        return _unpack(json.loads(header.decode("utf-8")), payload)
    except RecursionError as error:
        raise ValueError("not a samestep frame: its header is nested too deep") from error


def _read_exactly(stream: BinaryIO, size: int) -> bytearray:
    buffer, done = bytearray(), 0
    while done < size:
        if done == len(buffer):
            buffer.extend(bytes(min(size - done, max(done, CHUNK))))
        with memoryview(buffer) as view, view[done:] as rest:
            count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the line was closed {} bytes before the end of a frame".format(size - done))
        done += count
    return buffer


def _size(blocks: list[bytes]) -> int:
    return sum(map(len, blocks))


def _pack(value: Any, blocks: list[bytes]) -> Any:
    if isinstance(value, dict):
        if ARRAY in value:
            raise ValueError("a message cannot hold the name {!r}: it marks arrays".format(ARRAY))
        return {str(key): _pack(item, blocks) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(item, blocks) for item in value]
    if isinstance(value, np.generic):
        # a float stays an array: its precision says how near to it another one can be
        return value.item() if isinstance(value.item(), (bool, int, str)) else _pack(np.asarray(value), blocks)
    if isinstance(value, np.ndarray):
        return _pack_array(value, blocks)
    return value


def _pack_array(array: np.ndarray[Any, Any], blocks: list[bytes]) -> Any:
    array = _native(array)
    offset, block = _size(blocks), array.tobytes()
    blocks.append(block + b"\0" * (-len(block) % ALIGNMENT))
    return {ARRAY: [array.dtype.str, list(array.shape), offset]}


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in a dtype of NumPy's own and the machine's byte order; bfloat16 and 8-bit floats are exact in float32."""
    dtype = array.dtype
    if dtype.isbuiltin == 2:  # a type that another package registered with NumPy
        return array.astype(np.float32)
    if dtype.kind in "biufc":
        return array.astype(dtype.newbyteorder("="), copy=False)
    raise TypeError("an array of dtype {} cannot be sent: numbers are needed".format(dtype))


def _unpack(value: Any, payload: bytearray) -> Any:
    if isinstance(value, list):
        return [_unpack(item, payload) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        return _unpack_array(value[ARRAY], payload)
    return {key: _unpack(item, payload) for key, item in value.items()}


def _unpack_array(entry: Any, payload: bytearray) -> np.ndarray[Any, Any]:
    dtype, shape, offset = _checked(entry)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if offset + size > len(payload):
        raise ValueError("an array of {} bytes at {} lies outside the frame's {}".format(size, offset, len(payload)))
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(payload, dtype, size // dtype.itemsize, offset).reshape(shape)


def _checked(entry: Any) -> tuple[np.dtype[Any], list[int], int]:
    """Dtype, shape and offset of an array's entry in the header; ValueError for what `write` does not write."""
    try:
        name, shape, offset = entry
        sizes_are_sizes = all(type(size) is int and size >= 0 for size in [*shape, offset])
        if sizes_are_sizes and DTYPE.fullmatch(name):
            return np.dtype(name), shape, offset
    except (TypeError, ValueError):
        pass  # not a list of three, no sizes, or a dtype that this machine does not have
    raise ValueError("not a samestep frame: {!r:.100} describes no array".format(entry))
