"""Layers that move, repeat or look up numbers: order of axes, padding, resizing, embedding.

torch/nn/functional.py, interpolate and ATen/native/UpSample.h; tensorflow/core/kernels/image/resize_*_op.cc;
keras/src/layers/core/embedding.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]

HALF, CORNERS, ASYMMETRIC = "half-pixel centers", "aligned corners", "asymmetric"
SHARES = {"on both sides": 0.5, "behind": 0.0, "in front": 1.0}
"""Which share of the padding is in front."""
CUBIC = {"bicubic, a = -0.75": -0.75, "bicubic, a = -0.5": -0.5}


def embed(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The row of each token, scaled."""
    tokens = example.x.astype(np.int64)
    return np.asarray(s["scale"] * tensors["embeddings"][tokens % len(tensors["embeddings"])])


def embeddings(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every embedding whose rows are as long as the output's."""
    x, y = example.x, example.y
    if np.all(x == np.round(x)) and x.size * y.shape[-1] == y.size:
        for layer in layers:
            table = example.layers[layer].get("embeddings")
            if table is not None and table.shape[-1] == y.shape[-1]:
                yield variant("embedding", embed, layer, {}, {"scale": 1.0})


def rearrange(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The axes in another order, one of them perhaps backwards."""
    x = example.x if s["reversed"] is None else np.flip(example.x, s["reversed"])
    return x.transpose(s["order"])


def rearrangements(example: Example) -> Iterator[Variant]:
    """Every order of axes, and one axis backwards."""
    if example.x.size == example.y.size and example.x.ndim <= 5:
        axes = range(1, example.x.ndim)
        for order, backwards in product(permutations(axes), (None, *axes)):
            yield variant("rearrangement", rearrange, "", {"order": (0, *order), "reversed": backwards})


def reordered(x: Array) -> Iterator[tuple[str, Any, Any, Array]]:
    """(setting, usual value, other one, the array by that one): reshaped in the place of transposed, or one axis backwards.

    As it is seen in the order of axes that was meant. Channels are taken first or last, or time before rows.
    """
    axes = tuple(range(1, x.ndim))
    for order in ((0, *axes[-1:], *axes[:-1]), (0, *axes[1:], *axes[:1]), (1, 0, *axes[1:])) if x.ndim > 2 else ():
        moved = x.transpose(order)
        yield "layout", "transposed", "reshaped", x.reshape(moved.shape).transpose(np.argsort(order))
        yield "layout", "transposed", "reshaped", moved.reshape(x.shape)
    for axis in axes:
        colours = x.ndim == 4 and x.shape[axis] == 3
        told = ("channel_order", "rgb", "bgr") if colours else ("reversed", "no axis", f"axis {axis}")
        yield (*told, np.flip(x, axis))


def pad(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The input with more around it."""
    x = np.moveaxis(example.x, s["axis"], -1)
    sizes = np.moveaxis(example.y, s["axis"], -1).shape
    totals = [wanted - n for n, wanted in zip(x.shape, sizes, strict=True)]
    fronts = [int(total * SHARES[s["padding"]]) for total in totals]
    pads = [(front, total - front) for front, total in zip(fronts, totals, strict=True)]
    return np.moveaxis(np.pad(x, pads, mode=s["mode"]), -1, s["axis"])


def paddings(example: Example) -> Iterator[Variant]:
    """Zeros, reflections and repetitions, on both sides, behind or in front."""
    x, y = example.x, example.y
    if x.ndim == y.ndim > 2 and all(b >= a for a, b in zip(x.shape, y.shape, strict=True)) and x.size < y.size:
        for mode, where in product(("constant", "reflect", "edge", "symmetric", "wrap"), SHARES):
            yield variant("padding", pad, "", {"mode": mode, "padding": where, "axis": -1})


def resize(example: Example, tensors: Tensors, s: Settings) -> Array:
    """Interpolation along each axis whose size changes."""
    made = example.x
    for axis, (n, wanted) in enumerate(zip(example.x.shape, example.y.shape, strict=True)):
        if n != wanted:
            made = np.moveaxis(np.moveaxis(made, axis, -1) @ _weights(n, wanted, s), -1, axis)
    return made


def resizings(example: Example) -> Iterator[Variant]:
    """Every interpolation that gives the output's shape."""
    x, y = example.x, example.y
    if x.ndim == y.ndim > 2 and x.shape != y.shape and x.shape[0] == y.shape[0]:
        for method, coordinates in product(("nearest", "bilinear", *CUBIC), (HALF, CORNERS, ASYMMETRIC)):
            yield variant("resizing", resize, "", {"method": method, "coordinates": coordinates})


def _weights(n: int, wanted: int, s: Settings) -> Array:
    """The share (n, wanted) of each old element in each new one."""
    places = _places(n, wanted, s["coordinates"])
    weights = np.zeros((n, wanted))
    if s["method"] == "nearest":
        rounded = np.round(places) if s["coordinates"] == CORNERS else np.floor(places + 1e-9)
        if s["coordinates"] == HALF:
            rounded = np.floor(places + 0.5 + 1e-9)
        weights[np.clip(rounded.astype(int), 0, n - 1), np.arange(wanted)] = 1
        return weights
    cubic = s["method"] in CUBIC
    places = places if cubic else np.clip(places, 0, n - 1)
    first = np.floor(places).astype(int)
    for shift in range(-1, 3) if cubic else range(2):
        apart = np.abs(places - (first + shift))
        share = _cubic(apart, CUBIC[s["method"]]) if cubic else np.maximum(1 - apart, 0)
        np.add.at(weights, (np.clip(first + shift, 0, n - 1), np.arange(wanted)), share)
    return weights


def _places(n: int, wanted: int, coordinates: str) -> Array:
    """Where each new element lies among the old ones."""
    new = np.arange(wanted)
    if coordinates == CORNERS:
        return new * (n - 1) / max(wanted - 1, 1)
    return (new + 0.5) * n / wanted - 0.5 if coordinates == HALF else new * n / wanted


def _cubic(apart: Array, a: float) -> Array:
    """Keys 1981."""
    near = (a + 2) * apart**3 - (a + 3) * apart**2 + 1
    far = a * apart**3 - 5 * a * apart**2 + 8 * a * apart - 4 * a
    return np.where(apart <= 1, near, np.where(apart < 2, far, 0.0))
