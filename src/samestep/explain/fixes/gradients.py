"""The line that makes one side's gradients do as the other's, in its own framework's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.explain.fixes.optimizers import CLIPPING
from samestep.explain.fixes.regularizers import regularizer_line
from samestep.explain.references.gradients import Change
from samestep.results import Cause

KERAS_CLIPPING = {"clip_value": "clipvalue", "clip_norm": "clipnorm", "global_clip_norm": "global_clipnorm"}


def gradient_line(framework: str, change: Change, value: Any) -> str:
    """The line that makes a program of this framework have this value of the changed setting."""
    if change.setting == "trainable":
        return _trainable_line(framework, change.value, value)
    if change.component == "regularizer":
        return regularizer_line(framework, change.setting, value, change.tensors)
    if change.setting == "scale":
        return _scale_line(value)
    if change.setting == "padding_idx":
        return _row_line(framework, change.tensors[0], value)
    if change.setting == "noise":
        return f"add noise of standard deviation {shown(value)} to gradients" if value else "add no noise to gradients"
    if value is None:
        return "do not clip gradients"
    if (framework, change.setting) in CLIPPING:
        return CLIPPING[framework, change.setting].format(value=shown(value))
    return f"optimizer with {KERAS_CLIPPING[change.setting]}={shown(value)}"


def gradient_cause(case: Case, change: Change, values: tuple[Any, Any]) -> Cause:
    """A confirmed change of gradients, with the line for either side."""
    fix = both_ways(case, lambda framework, side: gradient_line(framework, change, values[1 - side]))
    return Cause(change.component, change.setting, *values, True, fix)


def _row_line(framework: str, table: str, row: Any) -> str:
    if row is None:
        return f"train all rows of {table}" + (": nn.Embedding without padding_idx" if framework == "torch" else "")
    return (
        f"nn.Embedding(…, padding_idx={row})"
        if framework == "torch"
        else f"set the gradient of row {row} of {table} to zero"
    )


def _scale_line(value: Any) -> str:
    if isinstance(value, Mapping):
        return "multiply gradients by " + ", ".join(f"{shown(by)} for {name}" for name, by in value.items())
    return (
        f"multiply the loss that gradients are taken of by {shown(value)}" if value != 1 else "do not scale gradients"
    )


def _trainable_line(framework: str, names: Any, trained: Any) -> str:
    told = "train" if trained else "do not train"
    listed = ", ".join(names)
    how = {
        "torch": "requires_grad_(True), no detach() and no no_grad() on their way to the loss"
        if trained
        else "requires_grad_(False)",
        "jax": "no jax.lax.stop_gradient on their way to the loss" if trained else "jax.lax.stop_gradient on them",
        "tensorflow": "no tf.stop_gradient on their way to the loss" if trained else "tf.stop_gradient on them",
    }.get(framework, f"layer.trainable = {bool(trained)} before compile, and no stop_gradient on their way to the loss")
    return f"{told} {listed}: {how}"
