"""Pooling, and reductions over axes.

torch/nn/modules/pooling.py (count_include_pad, ceil_mode); keras/src/ops/nn.py (zeros are not counted, padding as in
common_shape_fns.cc).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant
from samestep.explain.references.layers.linear import Pads, padding_of, paddings, windows
from samestep.explain.references.layers.normalizations import BIASED, UNBIASED

Array = NDArray[Any]

MAX, AVERAGE = "max pooling", "average pooling"
SIZES = (2, 3, 4, 5, 6, 7)
STRIDES = (1, 2, 3, 4, 5, 6, 7)
REDUCTIONS: Mapping[str, Callable[..., Array]] = {
    "mean": np.mean,
    "max": np.max,
    "sum": np.sum,
    "last": lambda x, axis: _taken(x, axis, -1),
    "first": lambda x, axis: _taken(x, axis, 0),
    "norm": lambda x, axis: np.sqrt(np.sum(x**2, axis)),
}
SPREADS: Mapping[str, Callable[..., Array]] = {"standard deviation": np.std, "variance": np.var}
"""Reductions that divide by the count, or by one less: torch.std and torch.var do the latter by default."""


def pool(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The largest or the mean of each window."""
    x = np.moveaxis(example.x, s["axis"], -1)
    size = [s["pool_size"]] * (x.ndim - 2)
    pads = padding_of(s["padding"], x.shape[1:-1], size, s["stride"], 1)
    rest = _rest(x.shape[1:-1], pads, s)
    zeros = s["kind"] == AVERAGE or s["pads_with"] == "zeros"
    seen = _padded(x, pads, rest, 0.0 if zeros else -np.inf, 0.0 if s["kind"] == AVERAGE else -np.inf)
    seen = windows(seen, size, s["stride"], 1)
    axes = tuple(range(-len(size), 0))
    if s["kind"] == MAX:
        return np.moveaxis(seen.max(axes), -1, s["axis"])
    counted = _padded(np.ones_like(x[:1]), pads, rest, float(s["count_include_pad"]), 0.0)
    return np.moveaxis(seen.sum(axes) / windows(counted, size, s["stride"], 1).sum(axes), -1, s["axis"])


def _padded(x: Array, pads: Pads, rest: Pads, value: float, outside: float) -> Array:
    """The input padded with one value, and what a rounded-up size takes beyond that with another."""
    padded = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=value)
    return np.pad(padded, [(0, 0), *rest, (0, 0)], constant_values=outside)


def _rest(sizes: Sequence[int], pads: Pads, s: Settings) -> Pads:
    """What the last window takes beyond the padding where sizes are rounded up; a window that begins there is left out."""
    if not s["ceil_mode"]:
        return [(0, 0)] * len(sizes)
    rest = []
    for n, pad in zip(sizes, pads, strict=True):
        padded = n + sum(pad)
        count = -(-(padded - s["pool_size"]) // s["stride"]) + 1
        count -= int((count - 1) * s["stride"] >= n + pad[0])
        rest.append((0, max((count - 1) * s["stride"] + s["pool_size"] - padded, 0)))
    return rest


def poolings(example: Example) -> Iterator[Variant]:
    """Every pooling from the input's to the output's shape, the usual ones first."""
    x, y = example.x, example.y
    if x.ndim != y.ndim or x.ndim < 3:
        return
    for axis in (-1, 1 - x.ndim):
        if x.shape[axis] == y.shape[axis]:
            for size, stride, padding, ceil_mode in product(SIZES, STRIDES, paddings(3), (False, True)):
                how = {"pool_size": size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode, "axis": axis}
                if _made(x.shape, how) == y.shape:
                    yield from _kinds(how, padded=padding != "valid")


def _made(shape: Sequence[int], s: Settings) -> tuple[int, ...] | None:
    """The shape of the output, None where the padding is no padding of such a window."""
    axis = s["axis"] % len(shape)
    sizes = [n for place, n in enumerate(shape) if place not in (0, axis)]
    size, stride = s["pool_size"], s["stride"]
    pads = padding_of(s["padding"], sizes, [size] * len(sizes), stride, 1)
    rest = _rest(sizes, pads, s)
    if any(max(pad) >= size for pad in pads) or (s["ceil_mode"] and not any(after for _, after in rest)):
        return None
    made = [(n + sum(p) + r[1] - size) // stride + 1 for n, p, r in zip(sizes, pads, rest, strict=True)]
    made.insert(axis - 1, shape[axis])
    return (shape[0], *made)


def _kinds(how: Settings, padded: bool) -> Iterator[Variant]:
    for pads_with in ("nothing", "zeros") if padded else ("nothing",):
        yield variant(MAX, pool, "", {"kind": MAX, "pads_with": pads_with, **how})
    for counted in (True, False) if padded else (None,):
        yield variant(AVERAGE, pool, "", {"kind": AVERAGE, "count_include_pad": bool(counted), **how})


def reduce(example: Example, tensors: Tensors, s: Settings) -> Array:
    """A reduction over some axes."""
    if s["reduction"] in SPREADS:
        return SPREADS[s["reduction"]](example.x, axis=s["axis"], ddof=int(s["variance"] == UNBIASED))
    return REDUCTIONS[s["reduction"]](example.x, axis=s["axis"])


def reductions(example: Example) -> Iterator[Variant]:
    """Every reduction over axes that leaves the output's elements."""
    axes = range(1, example.x.ndim)
    for count in range(1, example.x.ndim):
        for chosen in combinations(axes, count):
            left = example.x.size // int(np.prod([example.x.shape[axis] for axis in chosen]))
            if left == example.y.size < example.x.size:
                for name in REDUCTIONS:
                    yield variant("reduction", reduce, "", {"reduction": name, "axis": chosen})
                for name, kind in product(SPREADS, (BIASED, UNBIASED)):
                    yield variant("reduction", reduce, "", {"reduction": name, "axis": chosen, "variance": kind})


def reduce_kept(example: Example, tensors: Tensors, s: Settings) -> Array:
    """A reduction over the time of (rows, time, width), without the places where tokens beside it are zero."""
    tokens = next(one for one in example.others if one.shape == example.x.shape[:2])
    kept = tokens != 0 if s["mask"] else np.ones_like(tokens, bool)
    rows = [REDUCTIONS[s["reduction"]](x[where], axis=(0,)) for x, where in zip(example.x, kept, strict=True)]
    return np.array(rows)


def masked(example: Example) -> Iterator[Variant]:
    """Every reduction over time of what tokens are given beside, which may be padding."""
    x, shapes = example.x, [one.shape for one in example.others]
    if x.ndim == 3 and x.shape[:2] in shapes and x[:, 0].size == example.y.size:
        for mask, name in product((False, True), REDUCTIONS):
            yield variant("reduction", reduce_kept, "", {"reduction": name, "axis": (1,), "mask": mask})


def _taken(x: Array, axes: Sequence[int], place: int) -> Array:
    for axis in sorted(axes, reverse=True):
        x = np.take(x, place, axis)
    return x
