"""What a layer was given and made of it, and variants that compute the same in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant

Array = NDArray[Any]
Tensors = Mapping[str, Array]
"""Parameters and buffers of a layer by what they are: "kernel", "bias", "gamma", "beta", "mean", "variance", …"""


@dataclass(frozen=True)
class Example:
    """One pass through a layer: its input and output, float64 with rows first, and the tensors of all layers by layer.

    others: tensors that it may have been given besides.
    Of the output a reference may only use the shape and, for dropout, which elements are zero.
    """

    x: Array
    y: Array
    layers: Mapping[str, Tensors]
    others: Sequence[Array] = ()


Examples = Sequence[Example]
Rule = Callable[[Example, Tensors, Settings], Array]
"""Computes a layer's output from an example, the tensors of the layer and settings."""


def told(settings: Settings) -> Settings:
    """The settings without those that are None or only say how a reference computes."""
    return {name: value for name, value in settings.items() if value is not None}


def variant(
    name: str, rule: Rule, layer: str, choices: Settings, numbers: Mapping[str, float] | None = None
) -> Variant:
    """A layer with the tensors of this name, as something to be fitted to examples."""

    def compute(examples: Examples, settings: Settings) -> Array:
        return np.array([rule(one, one.layers.get(layer, {}), settings).ravel() for one in examples])

    return Variant(name, choices, numbers or {}, compute, told)
