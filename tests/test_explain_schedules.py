"""Learning-rate schedules are found from their rates, and their differences named."""

import warnings

import numpy as np
import pytest

from samestep.explain.references.schedules import Rates, Schedule, differences, schedules
from samestep.explain.schedules import told_apart

STEPS = np.array(sorted({*range(100), *range(100, 400, 7)}))
PER_EPOCH = 5


def rates(function, steps=STEPS):
    return Rates(steps, np.array([float(function(int(step))) for step in steps]), PER_EPOCH)


def of_torch(make, steps=STEPS):
    """The rates of a PyTorch scheduler, step by step."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(torch.optim.lr_scheduler, optimizer)
        found = []
        for _ in range(int(steps[-1]) + 1):
            found.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return rates(lambda step: found[step], steps)


def of_keras(make):
    import keras

    return rates(make(keras.optimizers.schedules))


def of_optax(make):
    import optax

    return rates(make(optax))


def warmed_up(schedulers, optimizer):
    warmup = schedulers.LinearLR(optimizer, 0.2, total_iters=5)
    after = schedulers.CosineAnnealingLR(optimizer, 30)
    return schedulers.SequentialLR(optimizer, [warmup, after], [5])


TORCH = {
    "ExponentialLR": (lambda s, o: s.ExponentialLR(o, 0.9), "exponential", {"decay_rate": 0.9, "decay_steps": 1}),
    "StepLR": (
        lambda s, o: s.StepLR(o, 7, 0.5),
        "exponential",
        {"decay_rate": 0.5, "decay_steps": 7, "staircase": True},
    ),
    "MultiStepLR": (
        lambda s, o: s.MultiStepLR(o, [4, 30], 0.2),
        "piecewise",
        {"boundaries": [4, 30], "decay_rate": 0.2},
    ),
    "PolynomialLR": (lambda s, o: s.PolynomialLR(o, 40, 2.0), "polynomial", {"power": 2.0, "decay_steps": 40}),
    "CosineAnnealingLR": (
        lambda s, o: s.CosineAnnealingLR(o, 30, 0.01),
        "cosine",
        {"decay_steps": 30, "end_rate": 0.01, "afterwards": "returns"},
    ),
    "CosineAnnealingWarmRestarts": (
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 10, 2),
        "cosine",
        {"decay_steps": 10, "afterwards": "restarts", "restart_factor": 2},
    ),
    "LinearLR": (lambda s, o: s.LinearLR(o, 0.1, total_iters=6), "constant", {"warmup_steps": 6, "warmup_start": 0.01}),
    "SequentialLR": (warmed_up, "cosine", {"warmup_steps": 5, "decay_steps": 30}),
    "OneCycleLR": (
        lambda s, o: s.OneCycleLR(o, 0.5, total_steps=401, pct_start=0.25),
        None,
        {},
    ),
}
KERAS = {
    "ExponentialDecay": (
        lambda s: s.ExponentialDecay(0.1, 20, 0.3),
        "exponential",
        {"decay_rate": 0.3, "decay_steps": 20},
    ),
    "staircase": (lambda s: s.ExponentialDecay(0.1, 20, 0.3, staircase=True), "exponential", {"staircase": True}),
    "InverseTimeDecay": (lambda s: s.InverseTimeDecay(0.1, 1, 0.05), "inverse_time", {"decay_rate": 0.05}),
    "PolynomialDecay": (
        lambda s: s.PolynomialDecay(0.1, 50, 0.01, power=1.5),
        "polynomial",
        {"decay_steps": 50, "end_rate": 0.01, "power": 1.5},
    ),
    "PiecewiseConstantDecay": (
        lambda s: s.PiecewiseConstantDecay([9, 20], [0.1, 0.05, 0.02]),
        "piecewise",
        {"boundaries": [10, 21]},
    ),
    "CosineDecay": (
        lambda s: s.CosineDecay(0.1, 60, 0.1),
        "cosine",
        {"decay_steps": 60, "end_rate": 0.01, "afterwards": "stays"},
    ),
    "CosineDecay beyond the run": (
        lambda s: s.CosineDecay(0.1, 1000, 0.1),
        "cosine",
        {"decay_steps": 1000, "end_rate": 0.01},
    ),
    "CosineDecay with warm-up": (
        lambda s: s.CosineDecay(0.01, 60, warmup_target=0.1, warmup_steps=8),
        "cosine",
        {"warmup_steps": 8, "warmup_start": 0.01, "learning_rate": 0.1},
    ),
}
OPTAX = {
    "exponential_decay": (
        lambda s: s.exponential_decay(0.1, 10, 0.5, staircase=True),
        "exponential",
        {"decay_steps": 10, "staircase": True},
    ),
    "linear_schedule": (
        lambda s: s.linear_schedule(0.1, 0.02, 40),
        "polynomial",
        {"power": 1.0, "decay_steps": 40, "end_rate": 0.02},
    ),
    "warmup_cosine_decay_schedule": (
        lambda s: s.warmup_cosine_decay_schedule(0.0, 0.1, 10, 70),
        "cosine",
        {"warmup_steps": 10, "decay_steps": 60},
    ),
}


def assert_found(found, kind, wanted):
    likely = [schedule for schedule in schedules(found) if schedule.kind == kind]
    assert any(wanted.items() <= schedule.settings.items() for schedule in likely), schedules(found)


@pytest.mark.parametrize("name", sorted(set(TORCH) - {"OneCycleLR"}))
def test_schedules_of_pytorch_are_found_with_their_settings(name):
    make, kind, wanted = TORCH[name]
    assert_found(of_torch(make), kind, wanted)


def test_one_cycle_is_a_warm_up_and_a_cosine():
    steps = np.arange(400)
    found = of_torch(TORCH["OneCycleLR"][0], steps)
    peak = int(np.argmax(found.rates))
    assert schedules(found) == [] or schedules(found)[0].settings["warmup_steps"] == peak
    whole = of_torch(lambda s, o: s.OneCycleLR(o, 0.5, total_steps=400, pct_start=0.25), np.arange(400 - 1))
    assert_found(whole, "cosine", {"warmup_steps": 99, "warmup_form": "cosine"})


@pytest.mark.parametrize("name", sorted(KERAS))
def test_schedules_of_keras_are_found_with_their_settings(name):
    make, kind, wanted = KERAS[name]
    assert_found(of_keras(make), kind, wanted)


@pytest.mark.parametrize("name", sorted(OPTAX))
def test_schedules_of_optax_are_found_with_their_settings(name):
    make, kind, wanted = OPTAX[name]
    assert_found(of_optax(make), kind, wanted)


def test_a_schedule_of_no_known_kind_is_none():
    assert schedules(rates(lambda step: 0.1 * (1 + 0.5 * np.sin(step**1.3)))) == []


def test_another_schedule_than_the_rates_have_is_not_found():
    found = rates(lambda step: 0.1 * 0.9**step * (1 + 1e-4 * np.sin(step)))
    assert schedules(found) == []


APART = {
    "moved by one": (lambda t: 0.1 * 0.8**t, lambda t: 0.1 * 0.8 ** (t + 1), [("offset", 0, 1)]),
    "moved back by three": (lambda t: 0.1 / (4 + t), lambda t: 0.1 / (1 + t), [("offset", 3, 0)]),
    "by epoch": (lambda t: 0.1 * 0.5 ** (t // PER_EPOCH), lambda t: 0.1 * 0.5**t, [("unit", "epoch", "update")]),
    "decay left away": (lambda t: 0.1 / (1 + 0.1 * t), lambda t: 0.1, [("decay_rate", 0.1, 0.0)]),
    "smooth": (
        lambda t: 0.1 * 0.5 ** (t // 3),
        lambda t: 0.1 * 0.5 ** (t / 3),
        [("staircase", True, False)],
    ),
    "warm-up": (
        lambda t: 0.1 * min(1, (t + 1) / 4),
        lambda t: 0.1 * min(1, (t + 1) / 8),
        [("warmup_steps", 4, 8)],
    ),
    "another rate": (lambda t: 0.1 * 0.9**t, lambda t: 0.25 * 0.9**t, [("learning_rate", 0.1, 0.25)]),
    "of two kinds": (
        lambda t: 0.1 * 0.9**t,
        lambda t: 0.05 * (1 + np.cos(np.pi * min(t, 40) / 40)),
        [("kind", "exponential", "cosine")],
    ),
    "one of no known kind": (lambda t: 0.1 * 0.9**t, lambda t: 0.1 + 0.05 * np.sin(t**1.3), []),
}


@pytest.mark.parametrize("name", sorted(APART))
def test_the_fewest_settings_that_tell_two_schedules_apart_are_named(name):
    left, right, wanted = APART[name]
    assert told_apart(rates(left), rates(right)) == wanted


def test_a_warm_up_that_only_one_side_has_is_one_difference():
    warm = Schedule("constant", {"learning_rate": 0.1, "warmup_steps": 5, "warmup_start": 0.01, "unit": "update"})
    assert differences(Schedule("constant", {"learning_rate": 0.1, "unit": "update"}), warm) == [("warmup_steps", 0, 5)]


PROGRAMS = """
import torch
from samestep.frameworks.torch import Program

def program(schedule, rate=0.1):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    optimizer = torch.optim.SGD(model.parameters(), rate)
    scheduler = schedule and torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=optimizer, scheduler=scheduler)

def decayed(): return program(lambda t: 0.8 ** t)
def one_ahead(): return program(lambda t: 0.8 ** (t + 1))
def odd(): return program(lambda t: 1 + 0.5 * torch.tensor(t ** 1.3).sin().item())
def plain(): return program(None)
def slower(): return program(None, 0.01)
"""


@pytest.fixture
def matched(matcher):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    return matcher(PROGRAMS, rows, batch_size=8, epochs=1)


def named(result):
    return [(cause.component, cause.setting, cause.left, cause.right) for cause in result.causes]


def test_a_scheduler_that_steps_too_early_is_named(matched):
    result = matched("decayed", "one_ahead")
    assert named(result) == [("schedule", "offset", 0, 1)]
    assert "scheduler.step() after optimizer.step()" in result.causes[0].fix


def test_another_constant_rate_is_the_optimizers_and_named_once(matched):
    assert named(matched("plain", "slower")) == [("optimizer", "learning_rate", 0.1, 0.01)]


def test_a_schedule_of_no_known_kind_has_no_cause(matched):
    result = matched("decayed", "odd")
    assert result.verdict == "different"
    assert result.causes == ()
    assert any("no known schedule" in stage.note for stage in result.stages)


PROGRAM = """
import torch
from samestep.frameworks.torch import Program

def program(first):
    torch.manual_seed(0)
    model, loss = torch.nn.Linear(5, 3), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        for part in (scheduler, optimizer) if first else (optimizer, scheduler):
            part.step()
        return value

    return Program(model, loss=loss, optimizer=optimizer, scheduler=scheduler, step=step)

def before(): return program(True)
def after(): return program(False)
"""


def test_a_scheduler_that_steps_before_the_optimizer_is_ahead_by_one(matcher):
    rng = np.random.default_rng(0)
    result = matcher(PROGRAM, (rng.normal(size=(32, 5)), rng.integers(0, 3, 32)), batch_size=16, steps=2)(
        "after", "before"
    )
    assert result.first_difference.stage == "schedule"
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes] == [("schedule", "offset", 0, 1)]
