"""The shared stream's numbers as NumPy arrays: what every framework draws, and what is fed to graphs of TensorFlow 1."""

from __future__ import annotations

import math
from typing import Any, Dict

import numpy as np

from samestep.frameworks import _randomness
from samestep.frameworks._randomness import stream


def words(draw: Any, step: int) -> Any:
    """The random words of a draw, uint32, in the shape and order of axes in which this side has it."""
    count = int(np.prod(draw.shape, dtype=np.int64))
    blocks = np.arange((count + 1) // 2, dtype=np.uint32)
    key = [np.full_like(blocks, word & _randomness.MASK) for word in (stream.word, step, draw.number)]
    pairs = _randomness.threefry(key, (blocks, key[2]), lambda word: word, _rotate)
    flat = np.stack(pairs, axis=-1).reshape(-1)[:count]
    flat = ~flat if draw.flipped else flat
    return flat.reshape(draw.shape).transpose(draw.axes)


def uniform(words: Any, dtype: Any = np.float32) -> Any:
    """Numbers between 0 and 1 from random words, of float16, float32 or float64."""
    bits = _randomness.bits_of(np.dtype(dtype).name)
    odd = (words >> np.uint32(31 - bits)) | np.uint32(1)
    return odd.astype(dtype) * np.asarray(2.0 ** -(bits + 1), dtype)


def normal(words: Any, dtype: Any = np.float32, kind: str = "normal") -> Any:
    """Standard normal numbers from random words; kind "truncated_normal": within two standard deviations."""
    return quantiles(kind)[words >> np.uint32(13)].astype(dtype)


def quantiles(kind: str) -> Any:
    """The normal numbers that stand for the 2**19 uniform ones, float64 (2**19,), in their order.

    A table, for every framework to round the same numbers: their own inverse error functions differ, in float32 by ten ulps.
    """
    if kind not in _tables:
        u = (2 * np.arange(1 << 19) + 1) / float(1 << 20)
        inside = math.erf(2 / math.sqrt(2)) if kind == "truncated_normal" else 1.0
        _tables[kind] = quantile((1 + inside * (2 * u - 1)) / 2)
        _tables[kind].flags.writeable = False
    return _tables[kind]


_tables: Dict[str, Any] = {}


def quantile(p: Any) -> Any:
    """Quantiles of the standard normal distribution to 15 digits, float64, where p and 1 - p are above e**-25.

    M. J. Wichura: Algorithm AS 241: the percentage points of the normal distribution. Applied Statistics 37 (1988).
    """
    q = p - 0.5
    central = np.abs(q) <= 0.425
    r = np.where(central, 0.180625 - q * q, np.sqrt(-np.log(np.minimum(p, 1 - p))) - 1.6)
    middle = q * np.polyval(CENTRAL[0], r) / np.polyval(CENTRAL[1], r)
    return np.where(central, middle, np.sign(q) * np.polyval(TAILS[0], r) / np.polyval(TAILS[1], r))


# fmt: off
CENTRAL = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)
TAILS = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258,
     3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)
# fmt: on


def _rotate(word: Any, bits: int) -> Any:
    return (word << np.uint32(bits)) | (word >> np.uint32(32 - bits))
