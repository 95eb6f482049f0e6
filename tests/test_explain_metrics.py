"""Metrics are found from evaluations, and their differences named."""

import numpy as np
import pytest

from samestep.explain.references import metrics as references
from samestep.explain.references.metrics import Metric, metrics

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(60, 6))
LABELS = RNG.integers(0, 6, 60)
SHARES = 1 / (1 + np.exp(-SCORES))
YES = RNG.integers(0, 2, (60, 6)).astype(np.float64)
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
HOT = np.eye(6)[LABELS]
OF_KERAS = {
    "categorical": (references.categorical_accuracy, SCORES, HOT, lambda m: m.CategoricalAccuracy()),
    "sparse": (references.categorical_accuracy, SCORES, LABELS, lambda m: m.SparseCategoricalAccuracy()),
    "top k": (references.top_k(3), SCORES, LABELS, lambda m: m.SparseTopKCategoricalAccuracy(3)),
    "binary": (references.binary_accuracy(0.3), SHARES, YES, lambda m: m.BinaryAccuracy(threshold=0.3)),
    "precision": (
        references.counts(0.5, references.COUNTED["precision"]),
        SHARES,
        YES,
        lambda m: m.Precision(0.5),
    ),
    "recall": (references.counts(0.5, references.COUNTED["recall"]), SHARES, YES, lambda m: m.Recall(0.5)),
    "squares": (references.mean(lambda o, y: (o - y) ** 2), SCORES, YES, lambda m: m.MeanSquaredError()),
    "entropy": (
        references.crossentropy(True),
        SCORES,
        LABELS,
        lambda m: m.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "entropy of shares": (references.crossentropy(False), SOFTMAX, HOT, lambda m: m.CategoricalCrossentropy()),
    "binary entropy": (references.binary_crossentropy(False), SHARES, YES, lambda m: m.BinaryCrossentropy()),
}


@pytest.mark.parametrize("name", sorted(OF_KERAS))
def test_a_measure_gives_what_keras_gives_over_batches(name):
    import keras

    measure, outputs, targets, make = OF_KERAS[name]
    metric = make(keras.metrics)
    batches = [(outputs[at : at + 25], targets[at : at + 25]) for at in range(0, 60, 25)]
    for some_outputs, some_targets in batches:
        metric.update_state(some_targets, some_outputs.astype(np.float32))
    assert Metric(name, measure).value(batches) == pytest.approx(float(metric.result()), abs=2e-6)


def test_precision_over_rows_is_not_the_mean_of_that_of_batches():
    measure = references.counts(0.5, references.COUNTED["precision"])
    batches = [(SHARES[:50], YES[:50]), (SHARES[50:], YES[50:])]
    values = [Metric("precision", measure, averaging=how).value(batches) for how in ("samples", "batches")]
    each = [np.sum(YES[rows][SHARES[rows] > 0.5]) / np.sum(SHARES[rows] > 0.5) for rows in (slice(50), slice(50, 60))]
    assert values[1] == pytest.approx(np.mean(each))
    assert values[0] == pytest.approx(np.sum(YES[SHARES > 0.5]) / np.sum(SHARES > 0.5))
    assert values[0] != pytest.approx(values[1])


def test_a_top_k_of_all_classes_is_not_looked_for():
    assert max(m.settings["k"] for m in metrics(SCORES, LABELS) if "k" in m.settings) == 5


PROGRAMS = """
import torch
from samestep.frameworks.torch import Program

def program(metric):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return Program(model, loss=torch.nn.BCEWithLogitsLoss(), optimizer=optimizer, metrics={"accuracy": metric})

def zero(): return program(lambda o, y: ((o > 0) == (y > 0.5)).float().mean())
def half(): return program(lambda o, y: ((o > 0.5) == (y > 0.5)).float().mean())
def all_of_a_row(): return program(lambda o, y: ((o > 0) == (y > 0.5)).all(1).float().mean())
def odd(): return program(lambda o, y: ((o.abs() > 0.3) == (y > 0.5)).float().mean())
"""


@pytest.fixture
def matched(matcher):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 5)).astype(np.float32), rng.integers(0, 2, (40, 3)).astype(np.float32)
    return matcher(PROGRAMS, rows, batch_size=8, epochs=1)


@pytest.mark.parametrize(
    ("right", "cause"),
    [
        ("half", ("metric", "threshold", 0.0, 0.5)),
        ("all_of_a_row", ("metric", "kind", "binary_accuracy", "exact_match")),
    ],
)
def test_what_sets_two_metrics_apart_is_named(matched, right, cause):
    result = matched("zero", right)
    assert result.first_difference.stage == "metrics"
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes] == [cause]


def test_a_metric_of_no_known_kind_has_no_cause(matched):
    result = matched("zero", "odd")
    assert result.verdict == "different"
    assert result.causes == ()
    assert any("no known metric" in stage.note for stage in result.stages)
