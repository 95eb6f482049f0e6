"""The line that makes one side start from values as the other's."""

from __future__ import annotations

from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.results import Cause

TORCH = {
    "uniform": "nn.init.kaiming_uniform_ or xavier_uniform_",
    "normal": "nn.init.kaiming_normal_ or xavier_normal_",
    "truncated_normal": "nn.init.trunc_normal_",
    "orthogonal": "nn.init.orthogonal_",
    "zeros": "nn.init.zeros_",
}
KERAS = {"uniform", "normal", "truncated_normal"}


def initial_line(framework: str, setting: str, value: Any, names: str) -> str:
    """What to write in this framework for these tensors to start so."""
    keras = "keras" in framework
    if setting in ("distribution", "bias_distribution"):
        if framework == "torch":
            return f"{TORCH.get(value, value)} for {names}"
        if keras and value in KERAS:
            quoted = f'"untruncated_{value}"' if value == "normal" else f'"{value}"'
            return f"keras.initializers.VarianceScaling(distribution={quoted}) for {names}"
        return f"{value} for {names}"
    if setting == "fan" and keras:
        return f'keras.initializers.VarianceScaling(mode="{value}") for {names}'
    if setting == "scale" and keras and value is not None:
        return f"keras.initializers.VarianceScaling(scale={value**2:g}) for {names}"
    if setting == "scale" and framework == "torch" and value is not None:
        return f"a gain of {value:g} in nn.init for {names}"
    if setting == "initial_accumulator":
        return f"initial_accumulator_value={shown(value)}"
    return f"{setting}={value} for {names}"


def initial_cause(
    case: Case, setting: str, left: Any, right: Any, names: str, confirmed: bool, component: str = "init"
) -> Cause:
    """A setting of initial values in which the sides differ, with the line for either side."""
    fix = both_ways(case, lambda framework, side: initial_line(framework, setting, (right, left)[side], names))
    return Cause(component, setting, left, right, confirmed, fix)
