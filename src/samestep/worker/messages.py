"""Frames on the line between parent and child: a JSON header, then the arrays as raw bytes.

A frame is ``b"SAME"``, the header's length (uint32), the payload's length (uint64), both
little-endian, the header (UTF-8 JSON) and the payload. In the header an array stands as
``{"$array": [dtype, shape, offset]}`` with its offset into the payload. Nothing is pickled, so
reading a frame runs no code. Runs on Python 3.7 with NumPy only.
"""

import json
import struct
from typing import Any

import numpy as np

MAGIC = b"SAME"
PREFIX = struct.Struct("<4sIQ")
ALIGNMENT = 16


def write(stream: Any, message: Any) -> None:
    """Write one message, a tree of dicts, lists, scalars and arrays, to a binary stream."""
    blocks = []
    header = json.dumps(_pack(message, blocks, [0])).encode("utf-8")
    stream.write(PREFIX.pack(MAGIC, len(header), sum(len(block) for block in blocks)))
    stream.write(header)
    for block in blocks:
        stream.write(block)
    stream.flush()


def read(stream: Any) -> Any:
    """Read one message; raises EOFError at the end of the stream, ValueError on a foreign frame."""
    magic, header_size, payload_size = PREFIX.unpack(_read_exactly(stream, PREFIX.size))
    if magic != MAGIC:
        raise ValueError("not a samestep frame: it starts with {!r}".format(magic))
    header = json.loads(_read_exactly(stream, header_size).decode("utf-8"))
    return _unpack(header, _read_exactly(stream, payload_size))


def _read_exactly(stream, size):
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        count = stream.readinto(view[done:])
        if not count:
            raise EOFError("the line was closed {} bytes before the end of a frame".format(size - done))
        done += count
    return buffer


def _pack(value, blocks, offset):
    if isinstance(value, dict):
        return {str(key): _pack(item, blocks, offset) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(item, blocks, offset) for item in value]
    if isinstance(value, np.generic):
        # floats keep their precision, which sets how near two of them can be
        return value.item() if value.dtype.kind in "biuU" else _pack_array(np.asarray(value), blocks, offset)
    if isinstance(value, np.ndarray):
        return _pack_array(value, blocks, offset)
    return value


def _pack_array(array, blocks, offset):
    if array.dtype.kind not in "biufc":
        array = array.astype(np.float32)  # bfloat16 and the 8-bit floats: exact in float32
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    block = array.tobytes()
    block += b"\0" * (-len(block) % ALIGNMENT)
    blocks.append(block)
    offset[0] += len(block)
    return {"$array": [array.dtype.str, list(array.shape), offset[0] - len(block)]}


def _unpack(value, payload):
    if isinstance(value, list):
        return [_unpack(item, payload) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" not in value:
        return {key: _unpack(item, payload) for key, item in value.items()}
    dtype, shape, offset = value["$array"]
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(payload, dtype=np.dtype(dtype), count=count, offset=offset).reshape(shape)
