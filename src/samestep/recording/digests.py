"""A digest of an array: 128 bits that change with any bit of it, the order of its elements, the sign of a zero, a NaN's payload.

It is of the array's bytes in C order. Its dtype and shape stand beside it in the log, once for all steps.
"""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict

import numpy as np

from samestep.errors import UsageError

SIZE = 16
"""Bytes of a digest."""
ABSENT = bytes(SIZE)
"""Stands where there is nothing to digest, such as the gradient of a parameter that was given none."""


def _blake2b(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=SIZE).digest()


DIGESTS: Dict[str, Callable[[Any], bytes]] = {"blake2b-128": _blake2b}
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


def of_all(arrays: Any, digest: Callable[[Any], bytes]) -> bytes:
    """One digest of several arrays, such as the inputs and targets of a batch: dtypes and shapes count."""
    heads = ["{}{}".format(array.dtype.str, array.shape) for array in arrays]
    if not heads:
        return ABSENT
    return digest(";".join(heads).encode() + b"".join(digest(np.ascontiguousarray(array)) for array in arrays))
