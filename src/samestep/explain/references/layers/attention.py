"""Attention, of a sequence to itself or of queries to keys and values.

Vaswani et al. 2017; torch/nn/functional.py; keras/src/layers/attention; jax/_src/nn/functions.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
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
    query, key, value = (_projected(example.x, tensors, part) for part in ("query", "key", "value"))
    made = _attended(query, key, value, s, _scale(query.shape[-1] // s["heads"], s))
    return np.asarray(made @ tensors["kernel output"] + tensors.get("bias output", np.zeros(1)))


def dot_product(example: Example, tensors: Tensors, s: Settings) -> Array:
    """Queries, keys and values are given as they are; what is made of them may be projected."""
    parts = _parts(example)
    query, key, value = (parts[number] for number in s["inputs"])
    made = _attended(query, key, value, s, s["scale"])
    return np.asarray(made @ tensors["kernel"] + tensors.get("bias", np.zeros(1)) if tensors else made)


def _attended(query: Array, key: Array, value: Array, s: Settings, scale: float) -> Array:
    """All heads' values, weighted by the softmax of the products of queries and keys."""
    query, key, value = (_heads(part, s["heads"]) for part in (query, key, value))
    scores = query @ np.swapaxes(key, -1, -2) * scale
    if s["mask"] == "causal":
        scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf)
    made = np.swapaxes(softmax(scores, axis=-1) @ value, 1, 2)
    return np.asarray(made.reshape(*made.shape[:2], -1))


def _projected(x: Array, tensors: Tensors, part: str) -> Array:
    return np.asarray(x @ tensors[f"kernel {part}"] + tensors.get(f"bias {part}", np.zeros(1)))


def _heads(x: Array, heads: int) -> Array:
    """(rows, time, width) as (rows, heads, time, size of a head)."""
    return np.swapaxes(x.reshape(*x.shape[:2], heads, -1), 1, 2)


def _whole(example: Example) -> list[Array]:
    """What is given, (rows, time, width) each."""
    return [one.reshape(*one.shape[:2], -1) for one in (example.x, *example.others) if one.ndim in (3, 4)]


def _parts(example: Example) -> list[Array]:
    """What may be queries, keys or values; behind what is given the thirds of the first."""
    whole = _whole(example)
    return [*whole, *np.split(whole[0], 3, axis=-1)] if whole and whole[0].shape[-1] % 3 == 0 else whole


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


def dot_products(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every attention of what is given as it is, alone or with a projection behind it."""
    y, parts = example.y, _parts(example)
    for inputs in _inputs(len(parts), len(_whole(example))) if y.ndim in (3, 4) else ():
        query, key, value = (parts[number] for number in inputs)
        if query.shape[-1] == key.shape[-1] and key.shape[1] == value.shape[1] and query.shape[1] == y.shape[1]:
            for layer in _projections(example, layers, value.shape[-1], int(np.prod(y.shape[2:]))):
                counts = [n for n in range(1, query.shape[-1] + 1) if query.shape[-1] % n == value.shape[-1] % n == 0]
                for heads, mask in product(counts, ("none", "causal")):
                    choices = {"heads": heads, "mask": mask, "inputs": inputs}
                    scale = {"scale": (query.shape[-1] // heads) ** -0.5}
                    yield variant("dot-product attention", dot_product, layer, choices, scale)


def _inputs(count: int, whole: int) -> Iterator[tuple[int, ...]]:
    """Which parts are query, key and value: thirds in their order, one for all, one for keys and values, or three."""
    if count == whole + 3:
        yield whole, whole + 1, whole + 2
    yield from ((one, one, one) for one in range(whole))
    yield from ((one, other, other) for one, other in permutations(range(whole), 2))
    yield from permutations(range(whole), 3)


def _projections(example: Example, layers: Sequence[str], made: int, wanted: int) -> list[str]:
    """The layers that may stand behind it, none first."""
    kernels = {layer: example.layers[layer].get("kernel", np.zeros(0)) for layer in layers}
    return [""] * (made == wanted) + [layer for layer, kernel in kernels.items() if kernel.shape == (made, wanted)]
