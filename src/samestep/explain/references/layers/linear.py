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


def convolve_transposed(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The transpose of a convolution: every input adds the kernel to the output, which is then cut at both ends."""
    x, kernel = np.moveaxis(example.x, s["axis"], -1), tensors["kernel"]
    wanted = np.moveaxis(example.y, s["axis"], -1).shape[1:-1]
    space, stride = kernel.shape[:-2], s["stride"]
    spread = np.zeros((len(x), *[(n - 1) * stride + 1 for n in x.shape[1:-1]], x.shape[-1]))
    spread[(slice(None), *[slice(None, None, stride)] * len(space))] = x
    around = [(0, 0), *((k - 1, k - 1 + stride) for k in space), (0, 0)]
    kernel = np.flip(kernel, tuple(range(len(space)))) if s["flipped"] else kernel
    made = correlate(np.pad(spread, around), kernel, 1, 1, "valid")
    cuts = [_cut(n, k, stride, size, s) for n, k, size in zip(x.shape[1:-1], space, wanted, strict=True)]
    made = made[(slice(None), *cuts)]
    made = made + tensors["bias"] if s["use_bias"] else made
    return np.moveaxis(made, -1, s["axis"])


def _cut(n: int, k: int, stride: int, wanted: int, s: Settings) -> slice:
    """Where the output lies in the full one: behind the padding of the convolution that this one is the transpose of."""
    padding = str(s["padding"])
    before = max(k - stride, 0) // 2 if padding == "same" else 0 if padding == "valid" else int(padding)
    return slice(before, before + wanted)


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
            if kernel.ndim == example.x.ndim == example.y.ndim > 2:
                yield from _convolutions(example, layer, kernel, bias)
                yield from _transposed(example, layer, kernel, bias)


def _convolutions(example: Example, layer: str, kernel: Array, bias: bool) -> Iterator[Variant]:
    space = kernel.shape[:-2]
    for axis in (-1, 1 - example.x.ndim):
        sizes, wanted = (np.moveaxis(a, axis, -1).shape[1:] for a in (example.x, example.y))
        groups, rest = divmod(sizes[-1], kernel.shape[-2])
        if wanted[-1] != kernel.shape[-1] or rest or not groups or kernel.shape[-1] % groups:
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


def _transposed(example: Example, layer: str, kernel: Array, bias: bool) -> Iterator[Variant]:
    space = kernel.shape[:-2]
    for axis in (-1, 1 - example.x.ndim):
        sizes, wanted = (np.moveaxis(a, axis, -1).shape[1:] for a in (example.x, example.y))
        if (sizes[-1], wanted[-1]) != kernel.shape[-2:]:
            continue
        for flipped, stride, padding in product(
            (True, False), STRIDES, ("valid", "same", *map(str, range(1, max(space))))
        ):
            how = {"stride": stride, "padding": padding, "flipped": flipped}
            full = [(n - 1) * stride + k + stride for n, k in zip(sizes[:-1], space, strict=True)]
            cuts = [_cut(n, k, stride, w, how) for n, k, w in zip(sizes[:-1], space, wanted[:-1], strict=True)]
            near = all(abs(w - n * stride) <= k for n, k, w in zip(sizes[:-1], space, wanted[:-1], strict=True))
            if near and all(cut.stop <= size for cut, size in zip(cuts, full, strict=True)):
                yield variant(
                    "transposed convolution", convolve_transposed, layer, {**how, "use_bias": bias, "axis": axis}
                )
