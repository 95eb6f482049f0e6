"""The lines that build one side's layers, or feed it its data, as the other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways
from samestep.matching.aligning import Tensor
from samestep.results import Cause

BIAS = {"torch": "bias={value}", "tensorflow": "add or drop the bias"}
SCALE = {"torch": "elementwise_affine={value}", "keras": "scale={value}", "tf_keras": "scale={value}"}
AFFINE = {
    "torch": "affine={value}",
    "keras": "center={value}, scale={value}",
    "tf_keras": "center={value}, scale={value}",
}
DTYPES = {
    "torch": "model.to(torch.{value})",
    "keras": 'keras.config.set_floatx("{value}") before the model is built',
    "tf_keras": 'tf_keras.backend.set_floatx("{value}") before the model is built',
    "keras2": 'keras.backend.set_floatx("{value}") before the model is built',
    "jax": "jax.tree.map(lambda p: p.astype(jnp.{value}), params)",
}


def building_line(framework: str, setting: str, value: Any, names: str) -> str:
    """What to write in this framework for a layer to be built with this setting."""
    if setting == "tied":
        return f"use one weight in both places instead of {names}" if value else "give each place a weight of its own"
    if setting == "trainable":
        return f"{'train' if value else 'do not train'} {names}"
    if setting == "parameters":
        return f"add parameters as {names}" if value is None else f"drop {names}"
    forms = {"use_bias": BIAS, "use_scale": SCALE, "affine": AFFINE}[setting]
    return f"{forms.get(framework, setting + '={value}').format(value=value)} in the layer of {names}"


def building_cause(
    case: Case, setting: str, side: int, has: Any, lacks: Any, extra: Sequence[Tensor], confirmed: bool
) -> Cause:
    """One side has these tensors: `has` is said of it, and `lacks` of the other side."""
    left, right = (has, lacks) if side == 0 else (lacks, has)
    names = ", ".join(tensor.name for tensor in extra)
    fix = both_ways(case, lambda framework, side: building_line(framework, setting, (right, left)[side], names))
    return Cause("mode" if setting == "trainable" else "forward", setting, left, right, confirmed, fix)


def dtype_cause(case: Case, left: str, right: str) -> Cause:
    """Parameters of two precisions."""

    def line(framework: str, side: int) -> str:
        return DTYPES.get(framework, "parameters of {value}").format(value=(right, left)[side])

    return Cause("dtype", "compute_dtype", left, right, True, both_ways(case, line))
