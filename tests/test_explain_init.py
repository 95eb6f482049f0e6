"""The rules that initial weights are drawn by are found, and where they differ named."""

import numpy as np
import pytest

from samestep.explain.references.initial import Rule, fans_of, rules

DRAWS = 20
GAIN = float(np.sqrt(2.0))
TORCH = {
    "xavier_uniform_": ({}, Rule("uniform", "fan_avg", 1.0)),
    "xavier_normal_": ({}, Rule("normal", "fan_avg", 1.0)),
    "kaiming_uniform_": ({"a": 5**0.5}, Rule("uniform", "fan_in", float(np.sqrt(1 / 3)))),
    "kaiming_normal_": ({}, Rule("normal", "fan_in", GAIN)),
    "trunc_normal_": ({"std": 0.02, "a": -0.04, "b": 0.04}, Rule("truncated_normal", None, 0.02)),
    "orthogonal_": ({"gain": 2.0}, Rule("orthogonal", None, 2.0)),
    "zeros_": ({}, Rule("zeros")),
}


@pytest.mark.parametrize("name", sorted(TORCH))
@pytest.mark.parametrize("shape", [(24, 16), (8, 4, 3, 3)])
def test_the_rule_of_pytorchs_initialiser_is_among_those_that_can_be(name, shape):
    import torch

    torch.manual_seed(0)
    options, wanted = TORCH[name]
    missed = 0
    for _ in range(DRAWS):
        drawn = getattr(torch.nn.init, name)(torch.empty(shape), **options).numpy()
        missed += wanted not in rules(drawn, fans_of(shape, True))
    assert missed == 0


def test_a_large_draw_tells_distribution_and_scale_apart():
    import torch

    torch.manual_seed(1)
    shape = (64, 200)
    found = rules(torch.nn.init.xavier_uniform_(torch.empty(shape)).numpy(), fans_of(shape, True))
    assert {rule.distribution for rule in found} == {"uniform"}
    assert Rule("uniform", "fan_in", 1.0) not in found


def test_keras_draws_he_and_lecun_from_a_truncated_normal_distribution():
    import keras

    shape = (400, 200)
    for name, scale in (("HeNormal", GAIN), ("LecunNormal", 1.0)):
        drawn = np.asarray(getattr(keras.initializers, name)(seed=0)(shape))
        found = rules(drawn, fans_of(shape, False))
        assert Rule("truncated_normal", "fan_in", scale) in found
        assert {rule.distribution for rule in found} == {"truncated_normal"}


PROGRAMS = """
import numpy as np
import torch
from torch.nn import init
from samestep.frameworks.torch import Program

def program(draw, optimizer=torch.optim.SGD, bias=init.zeros_, **options):
    torch.manual_seed(np.random.randint(10000))
    model = torch.nn.Sequential(torch.nn.Linear(12, 400), torch.nn.Tanh(), torch.nn.Linear(400, 3))
    for layer in (model[0], model[2]):
        draw(layer.weight)
        bias(layer.bias)
    made = optimizer(model.parameters(), 0.1, **options)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=made)

def small(gain):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(12, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    for layer in (model[0], model[2]):
        init.kaiming_normal_(layer.weight, nonlinearity=gain)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(model.parameters(), 0.1))

def small_linear(): return small("linear")
def small_relu(): return small("relu")
def again(draw, **options):
    torch.rand(1)
    np.random.rand()
    return program(draw, **options)

def uniform(): return program(init.xavier_uniform_)
def normal(): return again(init.xavier_normal_)
def lecun(): return program(lambda w: init.kaiming_normal_(w, nonlinearity="linear"))
def he(): return again(init.kaiming_normal_)
def odd(): return again(lambda w: init.normal_(w).data.pow_(3).mul_(0.05))
def biased(): return again(init.xavier_uniform_, bias=lambda b: init.constant_(b, 0.1))
def accumulating(): return program(init.xavier_uniform_, optimizer=torch.optim.Adagrad)
def from_one(): return program(init.xavier_uniform_, optimizer=torch.optim.Adagrad, initial_accumulator_value=0.1)
"""


@pytest.fixture
def matched(matcher):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 12)).astype(np.float32), rng.integers(0, 3, 40)
    return matcher(PROGRAMS, rows, batch_size=16, epochs=1, own_init=True)


@pytest.mark.parametrize(
    ("left", "right", "cause"),
    [
        ("uniform", "normal", ("init", "distribution", "uniform", "normal")),
        ("he", "lecun", ("init", "scale", pytest.approx(GAIN), 1.0)),
        ("small_linear", "small_relu", ("init", "scale", 1.0, pytest.approx(GAIN))),
        ("biased", "uniform", ("init", "bias_distribution", "constant 0.1", "zeros")),
        ("accumulating", "from_one", ("optimizer", "initial_accumulator", 0.0, pytest.approx(0.1))),
    ],
)
def test_what_sets_initial_values_apart_is_named(matched, left, right, cause):
    result = matched(left, right)
    assert result.first_difference.stage == "init"
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes][:1] == [cause]


def test_a_draw_of_no_known_distribution_has_no_confirmed_cause(matched):
    result = matched("uniform", "odd")
    assert result.first_difference.stage == "init"
    assert not any(cause.confirmed for cause in result.causes if cause.component == "init")
