"""A digest of an array: 128 bits that change with any bit of it, the order of its elements, the sign of a zero, a NaN's payload.

It is of the array's bytes in C order. Its dtype and shape stand beside it in the log, once for all steps.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Callable, Dict, Sequence, Tuple

import numpy as np

from samestep.errors import UsageError

SIZE = 16
"""Bytes of a digest."""
ABSENT = bytes(SIZE)
"""Stands where there is nothing to digest, such as the gradient of a parameter that was given none."""


def _blake2b(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=SIZE).digest()


MIX = "mix-128"
"""The digest that accelerators make."""
GOLDEN, LANES = 0x9E3779B1, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
"""What tells places, and the four words of a digest, from each other: bits of the golden ratio, and of pi."""
SCRAMBLE = ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1))
"""Shifts and factors of the finalizer of MurmurHash3 (A. Appleby), by which each bit of a word reaches all others."""


def _mix(data: Any) -> bytes:
    """Made for accelerators, in integers of 32 bits that wrap: four sums over the words, in any order, of
    scramble(word ^ (place * GOLDEN + lane)), each xor scramble(bytes ^ lane). The bytes are filled up with zeros to words.
    """
    raw = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.reshape(-1).view(np.uint8)
    words = np.zeros(-(-raw.size // 4), np.uint32)
    words.view(np.uint8)[: raw.size] = raw
    places = np.arange(words.size, dtype=np.uint32) * np.uint32(GOLDEN)
    lanes = np.array(LANES, np.uint32)
    sums = [scrambled(words ^ (places + lane)).sum(dtype=np.uint32) for lane in lanes]
    ends = scrambled(np.uint32(raw.size & 0xFFFFFFFF) ^ lanes)
    return bytes((np.array(sums, np.uint32) ^ ends).astype("<u4").tobytes())


def scrambled(words: Any) -> Any:
    """Words, uint32, each a bijection of its own."""
    for shift, factor in SCRAMBLE:
        words = (words ^ (words >> np.uint32(shift))) * np.uint32(factor)
    return words


DIGESTS: Dict[str, Callable[[Any], bytes]] = {MIX: _mix, "blake2b-128": _blake2b}
"""{name: function of a contiguous array, or of other bytes}, the fastest last. blake2b: RFC 7693, in every Python."""

try:
    import xxhash
except ImportError:
    pass
else:
    DIGESTS["xxh3-128"] = xxhash.xxh3_128_digest  # sixty gigabytes a second


def named(name: str = "") -> str:
    """The name of a digest that this interpreter has, the fastest where none is wanted; raises UsageError for others."""
    if name and name not in DIGESTS:
        raise UsageError(
            "no digest {!r} in this interpreter. It has: {}. For xxh3-128: pip install xxhash.".format(
                name, ", ".join(DIGESTS)
            )
        )
    return name or list(DIGESTS)[-1]


Piece = Tuple[bytes, bytes]
"""Of one of several arrays, what tells its dtype and shape, and its digest."""


def of_all(arrays: Any, digest: Callable[[Any], bytes]) -> bytes:
    """One digest of several contiguous arrays, such as the inputs and targets of a batch: dtypes and shapes count."""
    return of_pieces([piece_of(array, digest) for array in arrays], digest)


def piece_of(array: Any, digest: Callable[[Any], bytes]) -> Piece:
    """What is kept of one of the arrays."""
    return _head(array.dtype, array.shape), digest(array)


def of_pieces(pieces: Sequence[Piece], digest: Callable[[Any], bytes]) -> bytes:
    """The one digest of them, that of nothing where there are none."""
    if not pieces:
        return ABSENT
    return digest(b";".join([head for head, _ in pieces]) + b"".join([digested for _, digested in pieces]))


@functools.lru_cache(maxsize=256)
def _head(dtype: Any, shape: Any) -> bytes:
    return "{}{}".format(dtype.str, shape).encode()
