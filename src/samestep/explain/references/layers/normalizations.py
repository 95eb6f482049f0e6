"""Normalisations: subtract a mean, divide by a spread, scale and shift.

Ioffe and Szegedy 2015 (batch), Ba et al. 2016 (layer), Ulyanov et al. 2016 (instance), Wu and He 2018 (group), Zhang and
Sennrich 2019 (root mean square). torch/nn/functional.py; keras/src/layers/normalization; flax/linen/normalization.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, told, variant

Array = NDArray[Any]

IN_ROOT, OUT_OF_ROOT = "inside root", "outside root"
BIASED, UNBIASED = "biased", "unbiased"
BATCH, MOVING = "statistics of the batch", "moving averages"
OVER_ALL = "layer normalization over all axes"


def normalize(example: Example, tensors: Tensors, s: Settings) -> Array:
    """The normalised input, scaled and shifted by gamma and beta as far as there are any."""
    x = np.moveaxis(example.x, s["axis"], -1)
    mean, variance = _moments(x, tensors, s)
    root = np.sqrt(variance + s["epsilon"]) if s["epsilon_place"] == IN_ROOT else np.sqrt(variance) + s["epsilon"]
    made = np.moveaxis((x - mean) / root, -1, s["axis"])
    gamma, beta = tensors.get("gamma", np.ones(1)) + s["gamma_offset"], tensors.get("beta", np.zeros(1))
    return np.asarray(made * _spread(gamma, made, s["axis"]) + _spread(beta, made, s["axis"]))


def _moments(x: Array, tensors: Tensors, s: Settings) -> tuple[Array, Array]:
    """Mean and variance that broadcast against x, of which the last axis is that of the channels."""
    if s.get("statistics") == MOVING:
        return tensors["mean"], tensors["variance"]
    grouped = x.reshape(*x.shape[:-1], s["groups"], -1) if s["kind"] == "group normalization" else x[..., None, :]
    axes = _axes(s["kind"], grouped.ndim)
    count = np.prod([grouped.shape[axis] for axis in axes])
    center = grouped.mean(axes, keepdims=True) if s["kind"] != "RMS normalization" else np.zeros(1)
    variance = np.mean((grouped - center) ** 2, axes, keepdims=True)
    if s["variance"] == UNBIASED:
        variance = variance * count / max(count - 1, 1)
    return tuple(np.broadcast_to(part, grouped.shape).reshape(x.shape) for part in (center, variance))  # type: ignore[return-value]


def _axes(kind: str, count: int) -> tuple[int, ...]:
    """The axes that moments are taken over, of (rows, space …, groups, channels)."""
    if kind == "batch normalization":
        return tuple(range(count - 1))
    if kind == "instance normalization":
        return tuple(range(1, count - 1))
    if kind in ("layer normalization", "RMS normalization"):
        return (count - 1,)
    return tuple(axis for axis in range(1, count) if axis != count - 2 or kind == OVER_ALL)


def _spread(tensor: Array, like: Array, axis: int) -> Array:
    """A tensor of one axis along that one; others as they are."""
    if tensor.size == 1 or tensor.ndim != 1:
        return tensor
    shape = [1] * like.ndim
    shape[axis] = tensor.size
    return tensor.reshape(shape)


def variants(example: Example, layers: Sequence[str], training: bool) -> Iterator[Variant]:
    """Every way to normalise input of this shape by tensors that fit it, those of usual layers first."""
    for layer, axis in product(layers, _channel_axes(example.x.ndim)):
        tensors = example.layers.get(layer, {})
        size = example.x.shape[axis]
        if all(_fits(tensors[name], size, example.x) for name in ("gamma", "beta", "mean") if name in tensors):
            for choices in _choices(example.x, tensors, size, training):
                full = {"epsilon_place": IN_ROOT, "variance": BIASED, "gamma_offset": 0.0, **choices, "axis": axis}
                made = variant("normalization", normalize, layer, full, {"epsilon": 1e-5})
                yield replace(made, told=partial(_told, example.x.ndim))


def _told(dimensions: int, settings: Settings) -> Settings:
    """The settings as users know them: the axes that a layer normalisation goes over."""
    kind = settings["kind"]
    if kind == OVER_ALL:
        return {**told(settings), "kind": "layer normalization", "axis": list(range(1 - dimensions, 0))}
    within_rows = kind in ("layer normalization", "RMS normalization")
    return {**told(settings), "axis": [settings["axis"]]} if within_rows else told(settings)


def _channel_axes(count: int) -> tuple[int, ...]:
    return (-1,) if count <= 2 else (-1, 1 - count)


def _fits(tensor: Array, size: int, x: Array) -> bool:
    return tensor.shape == (size,) or (tensor.ndim > 1 and tensor.shape == x.shape[1:])


def _choices(x: Array, tensors: Tensors, size: int, training: bool) -> Iterator[dict[str, Any]]:
    moving = "mean" in tensors and "variance" in tensors
    statistics = (BATCH, MOVING) if training else (MOVING, BATCH)
    for chosen in [one for one in statistics if moving or one == BATCH]:
        yield {"kind": "batch normalization", "statistics": chosen}
    yield {"kind": "batch normalization", "statistics": BATCH, "variance": UNBIASED}
    if moving:
        yield {"kind": "batch normalization", "statistics": MOVING, "epsilon_place": OUT_OF_ROOT}
    yield from _of_kind("layer normalization", tensors)
    yield from _of_kind("RMS normalization", tensors)
    for groups in [count for count in range(1, size) if size % count == 0] if not moving else ():
        yield {"kind": "group normalization", "groups": groups}
    for kind in ("instance normalization", OVER_ALL) if x.ndim > 2 else ():
        yield from _of_kind(kind, tensors)


def _of_kind(kind: str, tensors: Tensors) -> Iterator[dict[str, Any]]:
    for place, variance in product((IN_ROOT, OUT_OF_ROOT), (BIASED, UNBIASED)):
        yield {"kind": kind, "epsilon_place": place, "variance": variance}
    if "gamma" in tensors:
        yield {"kind": kind, "gamma_offset": 1.0}
