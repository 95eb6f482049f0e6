"""Dropout: some elements are made zero, the others larger.

Srivastava et al. 2014; scaled while training in torch/nn/functional.py, keras/src/layers/regularization, flax/linen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]

DEVIATIONS = 4.0
"""The share of zeros may be so many standard deviations from the rate."""


def drop(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The input with the output's zeros, the rest scaled; NaN where there are too many or too few of them for the rate."""
    kept = (example.y != 0) | (example.x == 0)
    rate, scale = s["rate"], 1 / (1 - s["rate"]) if s["rate"] < 1 else 1.0
    places = example.x != 0
    share = 1 - np.mean(kept[places]) if places.any() else rate
    spread = np.sqrt(max(rate * (1 - rate), 0.0) / max(_draws(places, s["noise"]), 1))
    likely = abs(share - rate) <= DEVIATIONS * spread + 1e-12 and _is_of(kept, s["noise"])
    return np.asarray(np.where(kept, example.x * scale, 0.0) * (1.0 if likely else np.nan))


def variants(example: Example) -> Iterator[Variant]:
    """Dropout of elements, and of whole channels."""
    noises = ["elements"]
    if example.x.ndim > 2:
        noises += [f"channels of axis {axis}" for axis in (1, example.x.ndim - 1)]
    for noise in noises:
        yield variant("dropout", drop, "", {"noise": noise}, {"rate": _rate(example)})


def _rate(example: Example) -> float:
    """The rate by the factor of what is kept, or by the share of zeros where nothing is."""
    kept = (example.y != 0) & (example.x != 0)
    by_factor = float(1 - np.median(example.x[kept] / example.y[kept])) if kept.any() else 1.0
    return by_factor if 0 < by_factor < 1 else float(1 - np.mean(kept[example.x != 0]))


def _is_of(kept: Array, noise: str) -> bool:
    """Whether what is zero are whole channels just where it should be."""
    if kept.ndim < 3 or kept.all():
        return True
    axes = [1, kept.ndim - 1] if noise == "elements" else [int(noise.rpartition(" ")[2])]
    dropped = [~kept.any(axis=tuple(n for n in range(1, kept.ndim) if n != axis), keepdims=True) for axis in axes]
    whole = [bool(np.array_equal(np.broadcast_to(one, kept.shape), ~kept)) for one in dropped]
    return whole[0] if noise != "elements" else not any(whole)


def _draws(places: Array, noise: str) -> int:
    """How many independent draws decided over these places."""
    if noise == "elements":
        return int(np.sum(places))
    axis = int(noise.rpartition(" ")[2])
    others = tuple(number for number in range(1, places.ndim) if number != axis)
    return int(np.sum(places.any(axis=others)))
