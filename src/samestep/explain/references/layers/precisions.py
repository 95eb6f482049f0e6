"""Half precision: float16 (IEEE 754) and bfloat16 keep 11 and 8 significant binary digits of a number.

What lies outside their range is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example

Array = NDArray[Any]

DIGITS: Mapping[str, int] = {"bfloat16": 8, "float16": 11}
"""Significant digits, the coarser one first."""
ENOUGH = 24
"""So many numbers show their precision."""
LAST_USED = 1 / 3
"""At least this share of numbers of a precision use its last digit; half of them do on average."""


def rounded(array: Array, dtype: str) -> Array:
    """The array in this precision, as float64."""
    fraction, exponent = np.frexp(array)
    return np.asarray(np.ldexp(np.round(np.ldexp(fraction, DIGITS[dtype])), exponent - DIGITS[dtype]))


def precision_of(array: Array) -> str | None:
    """The half precision that holds all numbers of the array, if they use its last digit, the small ones too.

    The small ones of what was rounded to multiples of one number, such as integers, do not.
    """
    sizes = np.abs(array[array != 0])
    small = sizes[sizes <= np.median(sizes)] if sizes.size else sizes
    for dtype, digits in DIGITS.items():
        if small.size >= ENOUGH and np.array_equal(rounded(sizes, dtype), sizes):
            last_used = np.ldexp(np.frexp(small)[0], digits) % 2 == 1
            return dtype if np.mean(last_used) > LAST_USED else None
    return None


def units(seen: Array, said: Array, dtype: str) -> float:
    """How far apart two arrays are, relative to the norm, in spacings of this precision."""
    size = float(np.linalg.norm(seen)) or 1.0
    return float(np.linalg.norm(seen - said)) / size * 2.0 ** (DIGITS[dtype] - 1)


def halved(full: Variant, dtype: str) -> Variant:
    """The same layer of inputs and tensors that are rounded to this precision."""

    def compute(examples: Sequence[Example], settings: Settings) -> Array:
        return full.compute([_rounded(one, dtype) for one in examples], settings)

    return Variant(full.name, {**full.choices, "compute_dtype": dtype}, full.numbers, compute, full.told)


def _rounded(example: Example, dtype: str) -> Example:
    layers = {
        layer: {name: rounded(array, dtype) for name, array in tensors.items()}
        for layer, tensors in example.layers.items()
    }
    others = [rounded(other, dtype) for other in example.others]
    return Example(rounded(example.x, dtype), example.y, layers, others)
