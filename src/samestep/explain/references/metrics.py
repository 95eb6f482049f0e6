"""Metrics: from a model's outputs and the targets to one number, as the frameworks compute them.

A measure gives a sum and a count for each batch; how these become one number over batches is the averaging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

Array = NDArray[Any]
Parts = tuple[float, float]
Measure = Callable[[Array, Array], Parts]
"""(outputs, targets) of one batch -> sum and count."""

SAMPLES, BATCHES, WEIGHTED = "samples", "batches", "batches by rows"
"""One ratio over all rows; the mean of each batch's; or that with a batch counted by its rows."""
PLAIN_THRESHOLDS = (0.5, 0.0)
THRESHOLDS = (*PLAIN_THRESHOLDS, *(share / 20 for share in range(1, 20) if share != 10))
"""From where on a number is a yes: a probability, or a logit; the usual ones first."""
MOST_CLASSES = 10
"""Up to which k top-k accuracies are looked for."""
TINY = 1e-7
"""keras.config.epsilon(), at which Keras clips probabilities."""


@dataclass(frozen=True)
class Metric:
    """A measure with its settings, and how batches are averaged; finish: what is done to the mean at last."""

    kind: str
    measure: Measure
    settings: Mapping[str, Any] = field(default_factory=dict)
    averaging: str = SAMPLES
    finish: Callable[[float], float] = float

    @property
    def told(self) -> dict[str, Any]:
        """All that may differ."""
        return {"kind": self.kind, **self.settings, "averaging": self.averaging}

    def value(self, batches: Sequence[tuple[Array, Array]]) -> float:
        """The metric of an evaluation in these batches of (outputs, targets)."""
        parts = [self.measure(*batch) for batch in batches]
        if self.averaging == SAMPLES:
            return self.finish(_ratio(*np.sum(parts, axis=0)))
        rows = [len(outputs) if self.averaging == WEIGHTED else 1 for outputs, _ in batches]
        return float(np.average([self.finish(_ratio(*part)) for part in parts], weights=rows))


def metrics(outputs: Array, targets: Array) -> list[Metric]:
    """The metrics that outputs and targets of these shapes may have, the usual ones first."""
    measures = list(_measures(outputs, targets))
    return [
        Metric(kind, measure, settings, averaging, finish)
        for averaging in (SAMPLES, BATCHES, WEIGHTED)
        for kind, measure, settings, finish in measures
    ]


def differences(left: Metric, right: Metric) -> list[tuple[str, Any, Any]]:
    """(setting, left, right) in which two metrics differ."""
    ours, theirs = left.told, right.told
    shared = ("kind", "averaging") if left.kind != right.kind else tuple(ours)
    return [(name, ours[name], theirs[name]) for name in shared if ours[name] != theirs[name]]


def _measures(
    outputs: Array, targets: Array
) -> Iterator[tuple[str, Measure, dict[str, Any], Callable[[float], float]]]:
    elementwise = outputs.size == targets.size
    classes = outputs.shape[-1] if outputs.ndim > 1 else 1
    if classes > 1 and (elementwise or targets.size * classes == outputs.size):
        yield "categorical_accuracy", categorical_accuracy, {}, float
        for k in range(2, min(classes - 1, MOST_CLASSES) + 1):
            yield "top_k_categorical_accuracy", top_k(k), {"k": k}, float
        for logits in (True, False):
            yield "categorical_crossentropy", crossentropy(logits), {"from_logits": logits}, float
    if elementwise:
        for threshold in THRESHOLDS:
            yield "binary_accuracy", binary_accuracy(threshold), {"threshold": threshold}, float
        for threshold in PLAIN_THRESHOLDS:
            yield "exact_match", exact_match(threshold), {"threshold": threshold}, float
            for kind, counted in COUNTED.items():
                yield kind, counts(threshold, counted), {"threshold": threshold}, float
        yield "mean_squared_error", mean(lambda o, y: (o - y) ** 2), {}, float
        yield "mean_absolute_error", mean(lambda o, y: np.abs(o - y)), {}, float
        yield "root_mean_squared_error", mean(lambda o, y: (o - y) ** 2), {}, lambda value: float(np.sqrt(value))
        for logits in (True, False):
            yield "binary_crossentropy", binary_crossentropy(logits), {"from_logits": logits}, float


def categorical_accuracy(outputs: Array, targets: Array) -> Parts:
    """Rows whose largest output is that of the label: keras.metrics.CategoricalAccuracy and its sparse form."""
    right = outputs.argmax(-1).ravel() == _labels(outputs, targets)
    return float(right.sum()), float(right.size)


def top_k(k: int) -> Measure:
    """keras.metrics.TopKCategoricalAccuracy and its sparse form."""

    def measure(outputs: Array, targets: Array) -> Parts:
        rows = outputs.reshape(-1, outputs.shape[-1])
        own = np.take_along_axis(rows, _labels(outputs, targets)[:, None], 1)
        right = np.sum(rows > own, axis=1) < k
        return float(right.sum()), float(right.size)

    return measure


def binary_accuracy(threshold: float) -> Measure:
    """Elements that are on the right side of the threshold: keras.metrics.BinaryAccuracy."""
    return mean(lambda outputs, targets: (outputs > threshold) == (targets > 0.5))


def exact_match(threshold: float) -> Measure:
    """Rows all of whose elements are on the right side: torchmetrics' ExactMatch, sklearn.metrics.accuracy_score."""

    def measure(outputs: Array, targets: Array) -> Parts:
        right = ((outputs > threshold) == (targets.reshape(outputs.shape) > 0.5)).reshape(len(outputs), -1).all(1)
        return float(right.sum()), float(right.size)

    return measure


COUNTED: Mapping[str, Callable[[float, float, float], Parts]] = {
    "precision": lambda hits, said, there: (hits, said),
    "recall": lambda hits, said, there: (hits, there),
    "f1_score": lambda hits, said, there: (2 * hits, said + there),
}
"""From the elements that are rightly said, said, and there, to a ratio: keras.metrics.Precision, Recall."""


def counts(threshold: float, counted: Callable[[float, float, float], Parts]) -> Measure:
    """A ratio of counts of elements that are said to be, and that are."""

    def measure(outputs: Array, targets: Array) -> Parts:
        said, there = outputs.ravel() > threshold, targets.ravel() > 0.5
        return counted(float(np.sum(said & there)), float(said.sum()), float(there.sum()))

    return measure


def mean(function: Callable[[Array, Array], Array]) -> Measure:
    """The mean over all elements."""

    def measure(outputs: Array, targets: Array) -> Parts:
        values = function(outputs.astype(np.float64), targets.reshape(outputs.shape).astype(np.float64))
        return float(values.sum()), float(values.size)

    return measure


def crossentropy(from_logits: bool) -> Measure:
    """keras.metrics.CategoricalCrossentropy and its sparse form."""

    def measure(outputs: Array, targets: Array) -> Parts:
        rows = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
        shares = np.clip(rows / np.maximum(rows.sum(1, keepdims=True), TINY), TINY, 1 - TINY)
        logs = log_softmax(rows, 1) if from_logits else np.log(shares)
        hot = _one_hot(outputs, targets)
        return -float(np.sum(logs * hot)), float(len(rows))

    return measure


def binary_crossentropy(from_logits: bool) -> Measure:
    """keras.metrics.BinaryCrossentropy."""

    def function(outputs: Array, targets: Array) -> Array:
        shares = np.clip(expit(outputs) if from_logits else outputs, TINY, 1 - TINY)
        return np.asarray(-targets * np.log(shares) - (1 - targets) * np.log(1 - shares))

    return mean(function)


def _labels(outputs: Array, targets: Array) -> Array:
    """The class number of each row."""
    hot = targets.size == outputs.size
    return np.asarray(targets.reshape(outputs.shape).argmax(-1).ravel() if hot else targets.ravel().astype(np.int64))


def _one_hot(outputs: Array, targets: Array) -> Array:
    if targets.size == outputs.size:
        return targets.reshape(-1, outputs.shape[-1]).astype(np.float64)
    return np.asarray(np.eye(outputs.shape[-1])[_labels(outputs, targets)])


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else 0.0
