"""Causes of different losses: the references say what the frameworks say, and whole matches name what differs."""

import numpy as np
import optax
import pytest
import torch
from torch.nn import functional

import samestep
from samestep.explain.references import losses
from samestep.explain.references.losses import Losses

RNG = np.random.default_rng(0)
LOGITS, REAL = RNG.normal(0, 2, (6, 4)), RNG.normal(0, 2, (6, 4))
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
LABELS, ONES = np.array([0, 1, 3, 3, 2, 1]), (RNG.normal(size=(6, 4)) > 0).astype(float)
ONE_HOT, SOFT = np.eye(4)[LABELS], np.roll(SHARES, 1, axis=0)


def reference(outputs, targets, kind, reduction="mean", **settings):
    """The loss of one batch."""
    given = Losses(np.asarray(outputs, float), np.asarray(targets), np.array([0]), np.zeros(1), np.zeros(1, int))
    way = dict(losses.KINDS[kind].ways[0])
    way.pop("from_logits", None)
    numbers = {**way, **losses.KINDS[kind].numbers}
    settings = {**losses.COMMON, "from_logits": True, **numbers, "kind": kind, "reduction": reduction, **settings}
    return losses.compute(given, settings)[0]


def said(function, outputs, targets, **arguments):
    """The loss as PyTorch says it."""
    return function(torch.tensor(outputs), torch.tensor(targets), **arguments).item()


WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
BY_TORCH = {
    "cross entropy": (functional.cross_entropy, LOGITS, LABELS, {}, {}),
    "cross entropy of soft targets": (functional.cross_entropy, LOGITS, SOFT, {}, {}),
    "label smoothing": (functional.cross_entropy, LOGITS, LABELS, {"label_smoothing": 0.1}, {"label_smoothing": 0.1}),
    "class weights": (
        *(functional.cross_entropy, LOGITS, LABELS, {"weight": WEIGHTS}),
        {"class_weight": dict(enumerate(WEIGHTS.tolist())), "reduction": losses.BY_WEIGHT},
    ),
    "an ignored class": (
        *(functional.cross_entropy, LOGITS, LABELS, {"ignore_index": 3}),
        {"class_weight": {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.0}, "reduction": losses.BY_WEIGHT},
    ),
    "a target that is no class": (
        *(functional.cross_entropy, LOGITS, np.where(LABELS == 3, -100, LABELS), {}),
        {"reduction": losses.BY_WEIGHT},
    ),
    "a sum": (functional.cross_entropy, LOGITS, LABELS, {"reduction": "sum"}, {"reduction": "sum"}),
    "classes along the second axis": (
        *(functional.cross_entropy, LOGITS.reshape(2, 4, 3), LABELS.reshape(2, 3), {}),
        {"class_axis": 1},
    ),
    "negative log-likelihood": (functional.nll_loss, LOGITS, LABELS, {}, {}),
    "binary cross entropy": (functional.binary_cross_entropy_with_logits, LOGITS, ONES, {}, {}),
    "binary cross entropy of probabilities": (
        *(functional.binary_cross_entropy, SHARES, ONES, {}),
        {"from_logits": False, "probabilities": losses.CLIPPED},
    ),
    "a weight of positives": (
        *(functional.binary_cross_entropy_with_logits, LOGITS, ONES, {"pos_weight": torch.tensor(3.0)}),
        {"pos_weight": 3.0},
    ),
    "squared error": (functional.mse_loss, LOGITS, REAL, {}, {}),
    "absolute error": (functional.l1_loss, LOGITS, REAL, {}, {}),
    "Huber": (functional.huber_loss, LOGITS, REAL, {"delta": 0.7}, {"delta": 0.7}),
    "smooth L1": (functional.smooth_l1_loss, LOGITS, REAL, {"beta": 0.7}, {"delta": 0.7}),
    "multi-class margin": (functional.multi_margin_loss, LOGITS, LABELS, {}, {}),
    "KL divergence": (
        *(functional.kl_div, LOGITS, SOFT, {"reduction": "batchmean"}),
        {"input": "logarithms", "clipped": False, "reduction": losses.BATCH_MEAN},
    ),
    "Poisson": (functional.poisson_nll_loss, LOGITS, np.abs(REAL), {}, {"log_input": True}),
}


@pytest.mark.parametrize("name", BY_TORCH)
def test_pytorch_says_the_same(name):
    function, outputs, targets, arguments, settings = BY_TORCH[name]
    kind = name if name in losses.KINDS else "binary cross entropy" if "pos_weight" in settings else "cross entropy"
    kind = "binary cross entropy" if name.startswith("binary") else kind
    assert reference(outputs, targets, kind, **settings) == pytest.approx(said(function, outputs, targets, **arguments))


@pytest.mark.parametrize(
    ("kind", "function", "targets"),
    [
        ("log-cosh", optax.losses.log_cosh, REAL),
        ("hinge", optax.losses.hinge_loss, np.sign(REAL)),
        ("cosine distance", optax.losses.cosine_distance, REAL),
        ("binary focal cross entropy", optax.losses.sigmoid_focal_loss, ONES),
    ],
)
def test_optax_says_the_same(kind, function, targets):
    said = function(LOGITS.astype(np.float32), targets.astype(np.float32)).mean()
    assert reference(LOGITS, targets, kind) == pytest.approx(float(said), rel=1e-5)


FOUR, PREDICTED = [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]


@pytest.mark.parametrize(
    ("kind", "outputs", "targets", "settings", "documented"),
    [
        ("binary cross entropy", PREDICTED, FOUR, {"from_logits": False, "probabilities": losses.CLIPPED}, 0.815),
        (
            *("cross entropy", [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], [1, 2]),
            *({"from_logits": False, "probabilities": losses.NORMALISED_CLIPPED}, 1.177),
        ),
        ("KL divergence", PREDICTED, FOUR, {"reduction": losses.BATCH_MEAN}, 0.458),
        ("Huber", PREDICTED, FOUR, {}, 0.155),
        ("log-cosh", [[1, 1], [0, 0]], FOUR, {}, 0.108),
        ("squared logarithmic error", [[1, 1], [1, 0]], FOUR, {}, 0.240),
        ("hinge", PREDICTED, FOUR, {}, 1.3),
        ("squared hinge", PREDICTED, FOUR, {}, 1.86),
        ("categorical hinge", PREDICTED, FOUR, {}, 1.4),
        ("Poisson", [[1, 1], [0, 0]], FOUR, {}, 0.5),
        ("cosine similarity", [[1, 0], [1, 1]], [[0, 1], [1, 1]], {}, -0.5),
    ],
)
def test_keras_documents_the_same(kind, outputs, targets, settings, documented):
    """The examples in the docstrings of keras/src/losses/losses.py."""
    assert reference(outputs, targets, kind, **settings) == pytest.approx(documented, abs=6e-4)


PROGRAMS = """
import torch
from torch.nn import functional as F
from samestep.frameworks.torch import Program

def program(loss, outputs=3, last=()):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, outputs), *last)
    return Program(model, loss=loss(model), optimizer=torch.optim.SGD(model.parameters(), 1e-2))

def squares(model, amount, least):
    return sum(amount * (p**2).sum() for p in model.parameters() if p.ndim >= least)

def decaying(amount, least=1):
    return program(lambda model: lambda o, y: F.cross_entropy(o, y) + squares(model, amount, least))

plain = lambda: program(lambda m: torch.nn.CrossEntropyLoss())
summed = lambda: program(lambda m: torch.nn.CrossEntropyLoss(reduction="sum"))
smoothed = lambda: program(lambda m: torch.nn.CrossEntropyLoss(label_smoothing=0.1))
weighted = lambda: program(lambda m: lambda o, y: F.cross_entropy(o, y, torch.tensor([1.0, 2.0, 0.5]), reduction="none").mean())
ignoring = lambda: program(lambda m: torch.nn.CrossEntropyLoss(ignore_index=0))
twice = lambda: program(lambda m: torch.nn.CrossEntropyLoss(), last=[torch.nn.Softmax(-1)])
near_a_half = lambda: program(lambda m: torch.nn.CrossEntropyLoss(), last=[Halfway()])
odd = lambda: program(lambda m: lambda o, y: F.cross_entropy(o, y) ** 1.1)
squared = lambda: program(lambda m: torch.nn.MSELoss())
halved = lambda: program(lambda m: lambda o, y: F.mse_loss(o, y) / 2)
huber = lambda: program(lambda m: torch.nn.HuberLoss(delta=0.3))
column = lambda: program(lambda m: lambda o, y: F.mse_loss(o[:, 0], y), 1)
spread = lambda: program(lambda m: lambda o, y: F.mse_loss(o, y), 1)
squeezed = lambda: program(lambda m: lambda o, y: F.mse_loss(o.squeeze(), y), 1)
alone = lambda: program(lambda m: lambda o, y: F.mse_loss(o, y), 1)
l2 = lambda: decaying(0.01)
kernels = lambda: decaying(0.01, 2)


class Halfway(torch.nn.Module):
    def forward(self, x):
        return 0.3 * x + 0.5

class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.kind, self.size = torch.nn.Linear(5, 8), torch.nn.Linear(8, 3), torch.nn.Linear(8, 1)

    def forward(self, x):
        hidden = self.hidden(x).relu()
        return {"kind": self.kind(hidden), "size": self.size(hidden)}

def several(weight):
    torch.manual_seed(0)
    model = Two()
    loss = lambda o, y: F.cross_entropy(o["kind"], y["kind"]) + weight * F.mse_loss(o["size"], y["size"])
    return Program(model, loss=loss, optimizer=torch.optim.SGD(model.parameters(), 1e-2))

evenly = lambda: several(1.0)
unevenly = lambda: several(0.3)
"""


@pytest.fixture
def causes(program, kept):
    """The causes that a match of two of the programs above names, and the note of the stage loss."""
    path = program(PROGRAMS)

    def find(left, right, targets, stage="loss"):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(32, 5)).astype(np.float32)
        classes, numbers = rng.integers(0, 3, 32), x[:, :3] * 1.3 + 0.2
        both = {"kind": classes, "size": numbers[:, :1]}
        data = (
            x,
            {
                "classes": classes,
                "numbers": numbers,
                "a row of numbers": numbers[:, 0],
                "a column of numbers": numbers[:, :1],
                "both": both,
            }[targets],
        )
        result = samestep.match(f"{path}:{left}", f"{path}:{right}", data=data, batch_size=16, steps=1)
        assert result.first_difference.stage == stage
        note = next(stage.note for stage in result.stages if stage.stage == "loss")
        return {(c.component, c.setting): (c.left, c.right) for c in result.causes if c.confirmed}, note

    return find


@pytest.mark.parametrize(
    ("left", "right", "targets", "named"),
    [
        ("plain", "summed", "classes", {("loss", "reduction"): ("mean", "sum")}),
        ("smoothed", "plain", "classes", {("loss", "label_smoothing"): (0.1, 0.0)}),
        ("plain", "weighted", "classes", {("loss", "class_weight"): (None, {0: 1.0, 1: 2.0, 2: 0.5})}),
        ("plain", "ignoring", "classes", {("loss", "ignore_index"): (None, 0)}),
        ("plain", "twice", "classes", {("loss", "from_logits"): ("True, of logits", "True, of probabilities")}),
        ("squared", "halved", "numbers", {("loss", "scale"): (1.0, 0.5)}),
        ("huber", "squared", "numbers", {("loss", "kind"): ("Huber", "squared error")}),
        ("column", "spread", "a row of numbers", {("loss", "broadcast"): (False, True)}),
        ("alone", "squeezed", "a column of numbers", {("loss", "broadcast"): (False, True)}),
        ("plain", "l2", "classes", {("regularizer", "l2"): (0.0, 0.01)}),
    ],
)
def test_the_setting_that_differs_is_named_and_no_other(causes, left, right, targets, named):
    assert causes(left, right, targets)[0] == named


def test_logits_that_could_be_probabilities_by_chance_are_not_taken_for_such(causes):
    found, _ = causes("plain", "near_a_half", "classes", stage="forward")
    assert ("loss", "from_logits") not in found


def test_penalties_of_other_tensors_are_named_by_these(causes):
    found, _ = causes("kernels", "l2", "classes")
    assert found == {
        ("regularizer", "tensors"): (["0.weight", "2.weight"], ["0.weight", "0.bias", "2.weight", "2.bias"])
    }


def test_weights_of_the_losses_of_two_outputs_are_named(causes):
    found, _ = causes("evenly", "unevenly", "both")
    assert found == {("loss", "loss_weights"): ({"kind": 1.0, "size": 1.0}, {"kind": 1.0, "size": 0.3})}


def test_no_cause_is_named_for_a_loss_that_is_not_known(causes):
    found, note = causes("plain", "odd", "classes")
    assert found == {}
    assert "no known loss reproduces what the right one says" in note
