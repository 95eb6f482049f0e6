"""Attention of a sequence to itself: Vaswani et al. 2017; torch/nn/functional.py; keras/src/layers/attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]

BY_HEAD, BY_WIDTH, NOT_SCALED = "1 / sqrt(size of a head)", "1 / sqrt(size of all heads)", "1"


def attend(example: Example, tensors: Tensors, s: Settings) -> Array:
    """Project to queries, keys and values, attend with several heads, and project back."""
    query, key, value = (_heads(example.x, tensors, part, s["heads"]) for part in ("query", "key", "value"))
    scores = query @ np.swapaxes(key, -1, -2) * _scale(query.shape[-1], s)
    length = scores.shape[-1]
    if s["mask"] == "causal":
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
    made = np.swapaxes(softmax(scores, axis=-1) @ value, 1, 2)
    made = made.reshape(*made.shape[:2], -1) @ tensors["kernel output"]
    return np.asarray(made + tensors.get("bias output", np.zeros(1)))


def _heads(x: Array, tensors: Tensors, part: str, heads: int) -> Array:
    """A projection (rows, heads, time, size of a head)."""
    made = x @ tensors[f"kernel {part}"] + tensors.get(f"bias {part}", np.zeros(1))
    return np.swapaxes(made.reshape(*made.shape[:2], heads, -1), 1, 2)


def _scale(size: int, s: Settings) -> float:
    if s["scale"] == BY_HEAD:
        return float(size**-0.5)
    return float((size * s["heads"]) ** -0.5) if s["scale"] == BY_WIDTH else 1.0


def variants(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every attention whose projections fit."""
    if example.x.ndim != 3:
        return
    for layer in layers:
        kernel = example.layers[layer].get("kernel query")
        output = example.layers[layer].get("kernel output")
        if kernel is None or output is None:
            continue
        if (kernel.shape[0], output.shape[1]) == (example.x.shape[-1], example.y.shape[-1]):
            counts = [heads for heads in range(1, kernel.shape[1] + 1) if kernel.shape[1] % heads == 0]
            for heads, mask, scale in product(counts, ("none", "causal"), (BY_HEAD, BY_WIDTH, NOT_SCALED)):
                yield variant("attention", attend, layer, {"heads": heads, "mask": mask, "scale": scale})
