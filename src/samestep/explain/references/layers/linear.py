"""Layers that are linear in their input: dense and convolution, transposed too.

torch/nn/modules/conv.py; keras/src/ops/nn.py; padding "same" as in tensorflow/core/framework/common_shape_fns.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]
Pads = list[tuple[int, int]]

STRIDES = (1, 2, 3, 4)
DILATIONS = (1, 2, 3)


def dense(example: Example, tensors: Tensors, s: Settings) -> Array:
    """A matrix product over the last axis, and a bias."""
    made = example.x @ tensors["kernel"]
    return made + tensors["bias"] if s["use_bias"] else made


def convolve(example: Example, tensors: Tensors, s: Settings) -> Array:
    """A cross-correlation over all axes but those of rows and channels."""
    x, kernel = np.moveaxis(example.x, s["axis"], -1), tensors["kernel"]
    kernel = np.flip(kernel, tuple(range(kernel.ndim - 2))) if s["flipped"] else kernel
    made = correlate(x, kernel, s["stride"], s["dilation"], s["padding"])
    made = made + tensors["bias"] if s["use_bias"] else made
    return np.moveaxis(made, -1, s["axis"])


def correlate(x: Array, kernel: Array, stride: int, dilation: int, padding: str) -> Array:
    """Slide a kernel (space …, in, out) over x (rows, space …, channels), in groups if it takes only some channels."""
    space, taken = kernel.shape[:-2], kernel.shape[-2]
    pads = padding_of(padding, x.shape[1:-1], space, stride, dilation)
    seen = windows(np.pad(x, [(0, 0), *pads, (0, 0)]), space, stride, dilation)
    groups = x.shape[-1] // taken
    parts = zip(np.split(seen, groups, len(space) + 1), np.split(kernel, groups, -1), strict=True)
    axes = tuple(range(-len(space), 0))
    out = [np.tensordot(part, one, ((*axes, len(space) + 1), (*range(len(space)), len(space)))) for part, one in parts]
    return np.concatenate(out, -1)


def windows(x: Array, space: Sequence[int], stride: int, dilation: int) -> Array:
    """Windows into x (rows, space …, channels): (rows, places …, channels, window …)."""
    axes = tuple(range(1, len(space) + 1))
    seen = sliding_window_view(x, [dilation * (size - 1) + 1 for size in space], axes)
    steps = (slice(None), *[slice(None, None, stride)] * len(space), slice(None))
    return np.asarray(seen[(*steps, *[slice(None, None, dilation)] * len(space))])


def padding_of(padding: str, sizes: Sequence[int], space: Sequence[int], stride: int, dilation: int) -> Pads:
    """(before, after) of each axis: "valid", "same", or "p" or "before, after" for all."""
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        totals = [
            max((-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n, 0)
            for n, k in zip(sizes, space, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in totals]
    parts = [int(part) for part in padding.split(",")]
    return [(parts[0], parts[-1])] * len(sizes)


def paddings(largest: int) -> list[str]:
    """The names of all paddings of up to so many zeros, the usual ones first."""
    numbers = range(largest + 1)
    uneven = [f"{before}, {after}" for before, after in product(numbers, numbers) if before != after]
    return ["valid", "same", *map(str, numbers[1:]), *uneven]


def variants(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every dense layer and convolution whose kernel fits input and output."""
    for layer in layers:
        tensors = example.layers[layer]
        kernel = tensors.get("kernel")
        if kernel is not None:
            bias = "bias" in tensors
            if kernel.ndim == 2 and (example.x.shape[-1:], example.y.shape[-1:]) == (
                kernel.shape[:1],
                kernel.shape[1:],
            ):
                yield variant("dense", dense, layer, {"use_bias": bias})
            if kernel.ndim == example.x.ndim > 2:
                yield from _convolutions(example, layer, kernel, bias)


def _convolutions(example: Example, layer: str, kernel: Array, bias: bool) -> Iterator[Variant]:
    space = kernel.shape[:-2]
    for axis in (-1, 1 - example.x.ndim):
        sizes, wanted = (np.moveaxis(a, axis, -1).shape[1:] for a in (example.x, example.y))
        if wanted[-1] != kernel.shape[-1] or sizes[-1] % kernel.shape[-2]:
            continue
        for flipped, dilation, stride, padding in product(
            (False, True), DILATIONS, STRIDES, paddings(max(space) * 2 - 1)
        ):
            pads = padding_of(padding, sizes[:-1], space, stride, dilation)
            made = [
                (n + sum(pad) - dilation * (k - 1) - 1) // stride + 1
                for n, k, pad in zip(sizes[:-1], space, pads, strict=True)
            ]
            if made == list(wanted[:-1]):
                choices = {"stride": stride, "dilation": dilation, "padding": padding, "flipped": flipped}
                yield variant("convolution", convolve, layer, {**choices, "use_bias": bias, "axis": axis})
