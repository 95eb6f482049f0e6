"""Digest and norm of each array of an update: by a compiled function where this interpreter has it, else by NumPy.

The compiled one looks at each part of an array once, and calls xxhash's own XXH3. It is built where samestep is installed, if
there is a compiler; another interpreter that runs a script has NumPy's alone. Digests are the same either way, norms but for
rounding.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from samestep.recording import digests


class Digested(NamedTuple):
    """What stands for an array that was digested where it lies, on an accelerator; whole: fetches it."""

    digest: bytes
    norm: float
    dtype: Any
    shape: Tuple[int, ...]
    whole: Callable[[], np.ndarray]


Arrays = Sequence[Any]
"""NumPy arrays in C order, or PyTorch's tensors, see `takes_tensors`; None for one that is not there; or all as Digested."""
Norm = Callable[[Any], float]
Measure = Callable[[Arrays], Tuple[bytes, List[float]]]
"""Gives the digests of arrays, one behind another, and their norms; of what is not there, zeros and NaN."""

XXH3 = "xxh3-128"
"""The digest that the compiled function makes."""
FUNCTIONS = ("XXH3_128bits", "XXH3_128bits_reset", "XXH3_128bits_update", "XXH3_128bits_digest")


def measure_of(dtypes: Sequence[str], digest: str) -> Measure:
    """What measures arrays of these dtypes by the digest of this name."""
    norms = [_norm_of(dtype) for dtype in dtypes]
    compiled = _compiled() if digest == XXH3 else None
    return _by_numpy(norms, digests.DIGESTS[digest]) if compiled is None else _by_compiled(norms, compiled)


def _by_compiled(norms: List[Norm], compiled: Measure) -> Measure:
    others = [(place, norm) for place, norm in enumerate(norms) if norm is _norm_of_others]
    if not others:
        return compiled

    def measure(arrays: Arrays) -> Tuple[bytes, List[float]]:
        found, lengths = compiled(arrays)
        for place, norm in others:
            lengths[place] = math.nan if arrays[place] is None else norm(arrays[place])
        return found, lengths

    return measure


def _by_numpy(norms: List[Norm], digest: Callable[[Any], bytes]) -> Measure:
    def measure(arrays: Arrays) -> Tuple[bytes, List[float]]:
        found, lengths = [], []
        with np.errstate(over="ignore", invalid="ignore"):
            for array, norm in zip(arrays, norms):  # both while the array is near, in the processor's cache
                if array is None:
                    found.append(digests.ABSENT)
                    lengths.append(math.nan)
                elif isinstance(array, Digested):
                    found.append(array.digest)
                    lengths.append(array.norm)
                else:
                    found.append(digest(array))
                    lengths.append(norm(array))
        return b"".join(found), lengths

    return measure


def takes_tensors(torch: Any, to_array: Callable[[Any], Any]) -> bool:
    """Whether PyTorch's own tensors can stand among what is measured by XXH3; to_array: makes an array of what lies elsewhere."""
    exchange = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if exchange is None or _compiled() is None:
        return False
    compiled = importlib.import_module("samestep.recording._measured")
    return bool(compiled.bind_torch(torch.Tensor, torch.nn.Parameter, exchange, to_array))


@functools.lru_cache(maxsize=None)
def _compiled() -> Optional[Measure]:
    """The compiled function, told where xxhash's functions are; None where it, or one of these, is not there."""
    try:
        compiled = importlib.import_module("samestep.recording._measured")
        library = ctypes.CDLL(importlib.import_module("xxhash._xxhash").__file__)
        library.XXH3_createState.restype = ctypes.c_void_p
        compiled.bind(*[_address(library, name) for name in FUNCTIONS], library.XXH3_createState())
    except (ImportError, OSError, AttributeError):
        return None
    measure: Measure = compiled.measure
    return measure if _same_as_xxhash(measure) else None


def _same_as_xxhash(measure: Measure) -> bool:
    """Whether the digests are those of the library, of short arrays and of ones that are looked at in parts."""
    arrays = [np.arange(size, dtype=np.uint8) for size in (0, 100, 250)] + [np.arange(1e5)]
    return measure(arrays)[0] == b"".join([digests.DIGESTS[XXH3](array) for array in arrays])


def _address(library: Any, name: str) -> Optional[int]:
    """Of the function that chooses its instructions by the processor, if there is one, else of the plain one."""
    function = getattr(library, name + "_dispatch", None) or getattr(library, name)
    return ctypes.cast(function, ctypes.c_void_p).value


def _norm_of(dtype: str) -> Norm:
    """The function that takes the Euclidean norm of such an array, NaN of what has none."""
    if dtype in ("bool", "string") or "complex" in dtype:
        return _no_norm
    return _norm if dtype in ("float32", "float64") else _norm_of_others


def _no_norm(array: Any) -> float:
    return math.nan


def _norm(array: Any) -> float:
    flat = array.ravel()
    square = float(flat.dot(flat))
    if square < math.inf:
        return math.sqrt(square)
    wide = flat.astype(np.float64)  # a float32 may overflow where its norm does not
    return math.sqrt(float(wide.dot(wide)))


def _norm_of_others(array: Any) -> float:
    if array.dtype == np.uint16:  # the bits of a bfloat16
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return _norm(array.astype(np.float64))
