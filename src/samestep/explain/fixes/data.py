"""The line that makes one side's batches the other's."""

from __future__ import annotations

from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.results import Cause

TORCH = {
    "drop_last": "DataLoader(…, drop_last={value})",
    "shuffle": "DataLoader(…, shuffle={value})",
    "batch_size": "DataLoader(…, batch_size={value})",
}
KERAS = {
    "drop_last": "dataset.batch(…, drop_remainder={value})",
    "shuffle": "model.fit(…, shuffle={value})",
    "batch_size": "model.fit(…, batch_size={value})",
    "padding": 'keras.utils.pad_sequences(…, padding="{value}")',
}
LINES = {"torch": TORCH, "keras": KERAS, "tf_keras": KERAS, "keras2": KERAS, "tensorflow": KERAS}
"""Where each framework has its usual pipeline's settings."""


def data_line(framework: str, setting: str, value: Any, other: Any) -> str:
    """What to write for the batches to have this setting; other: what they have now."""
    if setting in LINES.get(framework, {}):
        return LINES[framework][setting].format(value=value)
    if setting == "scale":
        return f"multiply x by {shown(value / other)}" if other else "scale x"
    if setting == "offset":
        return f"add {shown(value)} in the place of {shown(other)} to x, after scaling"
    if setting == "label_offset":
        return f"add {value - other} to the labels"
    return f"{setting.replace('_', ' ')} {value} in the data"


def data_cause(case: Case, setting: str, left: Any, right: Any) -> Cause:
    """A confirmed setting in which two pipelines differ, with the line for either side."""
    values = (left, right)
    fix = both_ways(case, lambda framework, side: data_line(framework, setting, values[1 - side], values[side]))
    return Cause("data", setting, left, right, True, fix)
