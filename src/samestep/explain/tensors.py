"""A program's parameters and buffers as its layers use them, whatever framework holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching.layouts import blocks
from samestep.matching.sides import Sides, State

Array = NDArray[Any]
Described = Mapping[str, Any]
Layers = dict[str, dict[str, Array]]
"""{layer: {what the tensor is: array, float64}}: kernels are (space …, in, out), embeddings (token, out)."""

AXES = ("d0", "d1", "d2", "token", "in", "out")
"""The order of axes here."""
ROLES = ("kernel", "recurrent", "bias", "recurrent_bias", "embeddings", "gamma", "beta", "mean", "variance")
NAMES = {
    "mean": ("mean", "moving_mean", "running_mean"),
    "variance": ("variance", "var", "moving_variance", "moving_var", "running_var"),
    "gamma": ("gamma", "scale", "weight", "g"),
    "beta": ("beta", "bias", "offset", "b", "shift"),
}
"""What tensors of one axis are called where no layout is declared."""


def layers_of(sides: Sides, state: State) -> Layers:
    """The tensors of a left state by layer, as the side describes them that knows more of their layouts."""
    left, right = ([*side["parameters"], *side["buffers"]] for side in sides.described)
    if _declared(right) > _declared(left):
        there = sides.to_right(state)
        return by_layer(right, {**there["parameters"], **there["buffers"]})
    return by_layer(left, {**state["parameters"], **state["buffers"]})


def roles_of(entries: Sequence[Described]) -> dict[str, str]:
    """{tensor: what it is} of those that are moments, declared or by name."""
    found = {}
    for entry in entries:
        declared = entry.get("layout", "").partition(":")[0].strip()
        role = declared or _named_role(entry["name"])
        if role in ("mean", "variance"):
            found[entry["name"]] = role
    return found


def _declared(entries: Sequence[Described]) -> int:
    return sum("layout" in entry for entry in entries)


def by_layer(entries: Sequence[Described], arrays: Mapping[str, Array]) -> Layers:
    """The arrays by layer, for tensors that are described as adapters do."""
    layers: Layers = {}
    for entry in entries:
        if entry["name"] in arrays:
            array = np.asarray(arrays[entry["name"]], np.float64)
            if "layout" in entry:
                layers.setdefault(entry["layer"], {}).update(_blocks(entry["layout"], array))
            else:
                _add_undeclared(layers, entry["name"], array)
    return layers


def _blocks(layout: str, array: Array) -> dict[str, Array]:
    """The blocks of a declared tensor, each with its axes in the order of AXES; those of size 1 count too."""
    tokens = [part for token in layout.partition(":")[2].split() for part in token.split("*")]
    names = sorted({part.partition(":")[0].lstrip("-") for part in tokens if "," not in part and part != "1"})
    found = {}
    for block in blocks(layout, array.shape):
        sizes = dict(block.axes)
        part = array.ravel()[block.places].reshape([sizes.get(name, 1) for name in names])
        known = [name for name in AXES if name in names]
        part = part.transpose([names.index(name) for name in known]) if len(known) == len(names) else part
        if "in" not in names and "d0" in names:
            part = part[..., None, :]  # depthwise: every output has one input
        found[_label(block.labels)] = part
    return found


def _label(labels: frozenset[str]) -> str:
    return " ".join(sorted(labels, key=lambda label: (label not in ROLES, label)))


def _add_undeclared(layers: Layers, name: str, array: Array) -> None:
    """Put a tensor where its name says; one without a path belongs to the last kernel before it."""
    if array.ndim > 1:
        layer = _prefix(name) or name
        layers.setdefault(layer, {}).setdefault("kernel", array)
        layers[layer].setdefault("embeddings", array)
    elif array.ndim == 1:
        layer = _prefix(name) or next(reversed(layers), "")
        role = _named_role(name) or "bias"
        layers.setdefault(layer, {}).setdefault(role, array)
        if role == "beta":
            layers[layer].setdefault("bias", array)


def _prefix(name: str) -> str:
    return name.replace("/", ".").rpartition(".")[0]


def _named_role(name: str) -> str:
    last = name.replace("/", ".").rpartition(".")[2].partition(":")[0].lower().rstrip("0123456789_")
    return next((role for role, names in NAMES.items() if last in names), "")
