"""Float64 decides where float32 leaves a doubt: rounding all but vanishes there, a difference stays as large as it was."""

import importlib
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from samestep.matching.double import state_in_double, widened
from samestep.matching.free_run import FreeRun, judge_in_double
from samestep.matching.judging import Comparison, Judged
from samestep.matching.sources import in_frameworks
from samestep.results import Stage

LINEAR = """
import torch
from torch import nn
from samestep.frameworks.torch import Program

class Scaled(nn.Linear):
    factor = 1.0

    def forward(self, x):
        return super().forward(x) * self.factor

class Single(Scaled):
    def forward(self, x):
        return super().forward(x.float() if x.dtype == torch.float32 else torch.full_like(x, float("nan"))[:, :0])

def build(kind=Scaled, factor=1.0):
    model = kind(8, 3)
    model.factor = factor
    return Program(model, loss=nn.MSELoss(), optimizer=torch.optim.SGD(model.parameters(), lr=0.1))

def off():
    return build(factor=1.0 + 2.0**-18)

def single():
    return build(Single)

def single_off():
    return build(Single, 1.0 + 2.0**-18)
"""

NORMALIZED = """
import keras

def build(epsilon=1e-3, size=8):
    layers = [
        keras.Input((64, 64, 1)),
        keras.layers.Conv2D(size, 1, activation="relu", name="conv"),
        keras.layers.BatchNormalization(epsilon=epsilon, name="norm"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, name="head"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return model
"""

TORCH_NORMALIZED = """
import torch
from torch import nn
from samestep.frameworks.torch import Program

def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y

def build(epsilon=1e-3):
    model = nn.Sequential(
        nn.Conv2d(1, 8, 1), nn.ReLU(), nn.BatchNorm2d(8, eps=epsilon, momentum=0.01),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    )
    return Program(model, loss=nn.MSELoss(), optimizer=torch.optim.SGD(model.parameters(), lr=0.1))

def other_epsilon():
    return build(1.01e-3)
"""


@pytest.fixture
def rows():
    """Rows of eight numbers, and three targets."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 8)).astype(np.float32), rng.normal(size=(32, 3)).astype(np.float32)


@pytest.fixture
def images():
    """Images of 64 x 64 that are brighter than zero on average, and two targets."""
    rng = np.random.default_rng(0)
    return rng.normal(0.5, 1, (64, 64, 64, 1)).astype(np.float32), rng.normal(size=(64, 2)).astype(np.float32)


def stage(result, name):
    return next(stage for stage in result.stages if stage.stage == name)


def test_a_difference_of_few_floors_that_stays_in_float64_is_one(matcher, rows):
    result = matcher(LINEAR, rows, batch_size=16, steps=3, explain=False)("build", "off")
    forward = stage(result, "forward")
    assert result.verdict == "different"
    assert 10 < forward.times_floor < 100
    assert forward.note == "stays in float64"


def test_it_stays_undecided_where_a_program_computes_in_float32_alone(matcher, rows):
    result = matcher(LINEAR, rows, batch_size=16, steps=3, explain=False)("single", "single_off")
    assert stage(result, "forward").verdict == "undecided"


def test_a_program_that_computes_in_float32_alone_is_compared_with_its_twin_in_float64(matcher, rows):
    result = matcher(LINEAR, rows, batch_size=16, steps=3, explain=False)("single", "build")
    assert result.verdict in ("identical", "rounding")


@pytest.mark.timeout(300)
def test_batch_statistics_that_one_side_sums_carelessly_are_rounding_and_another_epsilon_is_not(program, kept, images):
    match = importlib.import_module("samestep").match
    left, right = program(NORMALIZED, "left.py"), program(TORCH_NORMALIZED, "right.py")
    same = match(left, right, data=images, batch_size=64, steps=2, explain=False)
    other = match(left, right + ":other_epsilon", data=images, batch_size=64, steps=2, explain=False)
    assert {s.stage: s.verdict for s in same.stages if s.verdict not in ("identical", "rounding")} == {}
    assert other.first_difference.stage == "forward"
    assert other.first_difference.name == "norm"


@pytest.mark.parametrize(
    ("in_double", "verdict"), [(0.1, "rounding"), (30.0, "different"), (15.0, "undecided"), (None, "undecided")]
)
def test_curves_that_part_are_judged_by_those_of_float64(in_double, verdict):
    steps, spacing = np.arange(1, 9), 1e-6
    left = 1.0 / steps
    siblings = [left + spacing, left - spacing]
    parted = Judged(Stage("free run", "undecided", 40.0, "running loss", 0), Comparison("running loss", 0, 40.0))
    free = FreeRun(parted, (), 0, left, siblings)
    sides = SimpleNamespace(right=SimpleNamespace(ask=lambda do, values: values), to_right=lambda state: state)
    runs = {0: {"running_loss": left}, 1: in_double and {"running_loss": left + in_double * spacing}}
    judged = judge_in_double(free, sides, {"parameters": {}}, {}, SimpleNamespace(look=lambda side, see: runs[side]))
    assert judged.stage.verdict == verdict


@pytest.mark.parametrize("framework", ["jax", "keras-jax", "tf_keras"])
def test_a_program_is_the_same_in_float64_apart_from_rounding(framework, kept_workers):
    source = next(s for s in in_frameworks("mnist-softmax", f"keras,{framework}") if s.label.endswith(framework))
    x, y = np.random.default_rng(0).random((32, 784), np.float32), np.arange(32) % 10
    seen = []
    for double in (False, True):
        with kept_workers.take(framework, environment=source.environment) as worker:
            worker.ask("load", source={**asdict(source), "label": framework}, seed=0, x=x, y=y, double=double)
            state = seen[0][0] if double else worker.ask("state")
            rows = worker.ask("rows", start=0, stop=32)
            given = (state_in_double(state), *map(widened, rows.values())) if double else (state, *rows.values())
            worker.ask("state", values=given[0])
            seen.append((state, worker.ask("gradients", x=given[1], y=given[2])["gradients"]))
    single, exact = (gradients for _, gradients in seen)
    assert {array.dtype.name for array in exact.values()} == {"float64"}
    for name in single:
        np.testing.assert_allclose(single[name], exact[name], rtol=1e-4, atol=1e-6)
        assert not np.array_equal(single[name], exact[name])
