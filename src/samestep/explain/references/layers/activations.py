"""Activations: functions of one number, and softmax.

Formulas: keras/src/activations/activations.py and keras/src/backend/*/nn.py; torch/nn/modules/activation.py;
jax/_src/nn/functions.py; Keras 2's hard sigmoid in tf_keras/src/backend.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, log_softmax, softmax

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]
Activation = Callable[[Array, Settings], Array]

ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946
"""Constants of SELU: Klambauer et al. 2017."""


def _elu(x: Array, alpha: float) -> Array:
    return np.asarray(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def _softplus(x: Array, s: Settings) -> Array:
    """Linear above a threshold of beta * x: torch/nn/functional.py, softplus."""
    scaled = s["beta"] * x
    smooth = np.logaddexp(0, scaled) / s["beta"]
    return np.asarray(smooth if s["threshold"] is None else np.where(scaled > s["threshold"], x, smooth))


def _celu(x: Array, alpha: float) -> Array:
    return np.asarray(np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


FUNCTIONS: Mapping[str, tuple[Activation, Mapping[str, float]]] = {
    "relu": (lambda x, s: np.maximum(x, 0), {}),
    "sigmoid": (lambda x, s: expit(x), {}),
    "tanh": (lambda x, s: np.tanh(x), {}),
    "gelu": (lambda x, s: 0.5 * x * (1 + erf(x / np.sqrt(2))), {}),
    "gelu, tanh approximation": (lambda x, s: _gelu_tanh(x), {}),
    "gelu, sigmoid approximation": (lambda x, s: x * expit(1.702 * x), {}),
    "silu": (lambda x, s: x * expit(x), {}),
    "mish": (lambda x, s: x * np.tanh(np.logaddexp(0, x)), {}),
    "relu6": (lambda x, s: np.clip(x, 0, 6), {}),
    "selu": (lambda x, s: SCALE * _elu(x, ALPHA), {}),
    "softsign": (lambda x, s: x / (1 + np.abs(x)), {}),
    "hard sigmoid, x / 6 + 0.5": (lambda x, s: np.clip(x / 6 + 0.5, 0, 1), {}),
    "hard sigmoid, 0.2 x + 0.5": (lambda x, s: np.clip(0.2 * x + 0.5, 0, 1), {}),
    "hard swish": (lambda x, s: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    "hard tanh": (lambda x, s: np.clip(x, -1, 1), {}),
    "tanhshrink": (lambda x, s: x - np.tanh(x), {}),
    "log sigmoid": (lambda x, s: -np.logaddexp(0, -x), {}),
    "exponential": (lambda x, s: np.exp(x), {}),
    "squared relu": (lambda x, s: np.maximum(x, 0) ** 2, {}),
    "square": (lambda x, s: x**2, {}),
    "absolute value": (lambda x, s: np.abs(x), {}),
    "leaky relu": (lambda x, s: np.where(x > 0, x, s["negative_slope"] * x), {"negative_slope": 0.01}),
    "elu": (lambda x, s: _elu(x, s["alpha"]), {"alpha": 1.0}),
    "celu": (lambda x, s: _celu(x, s["alpha"]), {"alpha": 1.0}),
    "swish": (lambda x, s: x * expit(s["beta"] * x), {"beta": 1.0}),
    "scaled tanh": (lambda x, s: s["scale"] * np.tanh(s["beta"] * x), {"scale": 1.7159, "beta": 2 / 3}),
    "clipped relu": (lambda x, s: np.clip(x, 0, s["maximum"]), {"maximum": 6.0}),
    "soft shrink": (lambda x, s: np.sign(x) * np.maximum(np.abs(x) - s["lambda"], 0), {"lambda": 0.5}),
    "hard shrink": (lambda x, s: np.where(np.abs(x) > s["lambda"], x, 0), {"lambda": 0.5}),
    "thresholded relu": (lambda x, s: np.where(x > s["threshold"], x, 0), {"threshold": 1.0}),
}
"""{activation: (its function, its numbers with usual values)}, the most common first."""


def pointwise(slope: float, offset: float) -> Iterator[Variant]:
    """Every function of one number, the most common first, and at last straight lines like this one."""
    for name, (function, numbers) in FUNCTIONS.items():
        yield _variant(function, {"activation": name}, numbers)
    yield _variant(_softplus, {"activation": "softplus", "threshold": None}, {"beta": 1.0})
    yield _variant(_softplus, {"activation": "softplus", "threshold": 20.0}, {"beta": 1.0})
    yield _variant(lambda x, s: x, {"activation": "none"}, {})
    yield _scaling({"offset": 0.0}, {"scale": slope})
    yield _scaling({"scale": 1.0}, {"offset": offset})
    yield _scaling({}, {"scale": slope, "offset": offset})


def along_axes(axes: int) -> Iterator[Variant]:
    """Softmax and its logarithm over each axis of rows of so many axes, the last one first, and by mistake over the rows."""
    for name, function in (("softmax", softmax), ("log softmax", log_softmax)):
        for axis in (-1, *range(-2, -axes - 1, -1), 0):
            for mask in ("none", "causal") if axis == -1 and axes > 1 else ("none",):
                choices = {"activation": name, "axis": axis, "mask": mask}
                yield _variant(_softmax(function), choices, {"scale": 1.0})


def _softmax(function: Callable[..., Array]) -> Activation:
    """Of the input times a scale, with what lies ahead masked or not."""

    def compute(x: Array, s: Settings) -> Array:
        scaled = s["scale"] * x
        if s["mask"] == "causal":
            scaled = np.where(np.tri(*scaled.shape[-2:]) > 0, scaled, -np.inf)
        return np.asarray(function(scaled, axis=s["axis"]))

    return compute


def _scaling(choices: Settings, numbers: Mapping[str, float]) -> Variant:
    def rule(example: Example, tensors: Tensors, s: Settings) -> Array:
        return np.asarray(s["scale"] * example.x + s["offset"])

    return variant("scaling", rule, "", choices, numbers)


def _variant(function: Activation, choices: Settings, numbers: Mapping[str, float]) -> Variant:
    def rule(example: Example, tensors: Tensors, s: Settings) -> Array:
        return function(example.x, s)

    return variant("activation", rule, "", choices, numbers)
