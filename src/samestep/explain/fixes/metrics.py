"""The line that makes one side's metric the other's."""

from __future__ import annotations

from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.results import Cause

KERAS = {
    "categorical_accuracy": "CategoricalAccuracy() or SparseCategoricalAccuracy()",
    "top_k_categorical_accuracy": "TopKCategoricalAccuracy(k=…)",
    "binary_accuracy": "BinaryAccuracy(threshold=…)",
    "precision": "Precision()",
    "recall": "Recall()",
    "f1_score": "F1Score()",
    "mean_squared_error": "MeanSquaredError()",
    "mean_absolute_error": "MeanAbsoluteError()",
    "root_mean_squared_error": "RootMeanSquaredError()",
    "categorical_crossentropy": "CategoricalCrossentropy()",
    "binary_crossentropy": "BinaryCrossentropy()",
}
FORMULAS = {
    "categorical_accuracy": "(outputs.argmax(1) == labels).mean()",
    "top_k_categorical_accuracy": "whether the label is among the k largest outputs",
    "binary_accuracy": "((outputs > threshold) == targets).mean()",
    "exact_match": "((outputs > threshold) == targets).all(1).mean()",
}
"""What to compute where a metric is a function of the user's."""
KERAS_LIKE = ("keras", "tf_keras", "keras2")


def metric_line(framework: str, setting: str, value: Any, name: str) -> str:
    """What to write for a setting of this metric to have this value."""
    if setting == "kind":
        made = KERAS.get(value) if framework in KERAS_LIKE else None
        return f"metrics.{made} for {name}" if made else f"{name}: {FORMULAS.get(value, value)}"
    if setting == "averaging":
        return _averaging_line(framework, value, name)
    if framework in KERAS_LIKE:
        return f"{setting}={shown(value)} in the metric {name}"
    return f"{name}: {setting} {shown(value)}"


def _averaging_line(framework: str, value: str, name: str) -> str:
    if value == "samples":
        return f"{name}: sum its counts up over all batches, and divide once" + (
            " (a keras.metrics.Metric instead of a function)" if framework in KERAS_LIKE else ""
        )
    return f"{name}: the mean of each batch's value"


def metric_cause(case: Case, difference: tuple[str, Any, Any], names: tuple[str, str]) -> Cause:
    """A confirmed setting in which two metrics differ, with the line for either side."""
    setting, left, right = difference
    fix = both_ways(case, lambda framework, side: metric_line(framework, setting, (right, left)[side], names[side]))
    return Cause("metric", setting, left, right, True, fix)
