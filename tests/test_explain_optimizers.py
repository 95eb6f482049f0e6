"""Each reference makes the updates that the framework's own optimizer makes, and what sets two optimizers apart is named."""

import numpy as np
import pytest

from samestep.explain.references.optimizers import Updates, variants

UPDATES, SHAPES = 9, ((6, 4), (5,))
SIZE = sum(int(np.prod(shape)) for shape in SHAPES)
SLICES = (slice(0, 24), slice(24, 29))
RNG = np.random.default_rng(0)
GRADIENTS = RNG.normal(size=(UPDATES, SIZE)) * 10 ** RNG.uniform(-4, 1, SIZE)
START = RNG.normal(size=SIZE)
ADAM = {"beta_1": 0.9, "beta_2": 0.999}


def pieces(flat):
    return [flat[where].reshape(shape) for where, shape in zip(SLICES, SHAPES, strict=True)]


def flat(arrays):
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


def of_torch(make):
    """Parameters before each update and after the last, float64."""
    import torch

    parameters = [torch.tensor(piece, dtype=torch.float64, requires_grad=True) for piece in pieces(START)]
    optimizer = make(torch.optim, parameters)
    seen = [flat(p.detach().numpy() for p in parameters)]
    for gradient in GRADIENTS:
        for parameter, piece in zip(parameters, pieces(gradient), strict=True):
            parameter.grad = torch.tensor(piece)
        optimizer.step()
        seen.append(flat(p.detach().numpy() for p in parameters))
    return np.array(seen)


def of_keras(make):
    import keras

    variables = [keras.Variable(piece.astype(np.float32)) for piece in pieces(START)]
    optimizer = make(keras.optimizers)
    seen = [flat(v.numpy() for v in variables)]
    for gradient in GRADIENTS:
        given = [keras.ops.convert_to_tensor(piece.astype(np.float32)) for piece in pieces(gradient)]
        optimizer.apply(given, variables)
        seen.append(flat(v.numpy() for v in variables))
    return np.array(seen)


def of_optax(make):
    import jax.numpy as jnp
    import optax

    parameters = [jnp.asarray(piece, jnp.float32) for piece in pieces(START)]
    optimizer = make(optax)
    state = optimizer.init(parameters)
    seen = [flat(parameters)]
    for gradient in GRADIENTS:
        given = [jnp.asarray(piece, jnp.float32) for piece in pieces(gradient)]
        updates, state = optimizer.update(given, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        seen.append(flat(parameters))
    return np.array(seen)


CASES = {
    "torch SGD": (of_torch, lambda o, p: o.SGD(p, 0.1), "SGD", {}),
    "torch momentum": (
        of_torch,
        lambda o, p: o.SGD(p, 0.1, 0.9, dampening=0.2),
        "SGD",
        {"momentum": 0.9, "dampening": 0.2, "first_undampened": True},
    ),
    "torch Nesterov": (
        of_torch,
        lambda o, p: o.SGD(p, 0.1, 0.9, nesterov=True),
        "SGD",
        {"momentum": 0.9, "nesterov": True, "momentum_form": "learning rate outside"},
    ),
    "keras Nesterov": (
        of_keras,
        lambda o: o.SGD(0.1, 0.9, nesterov=True),
        "SGD",
        {"momentum": 0.9, "nesterov": True, "momentum_form": "learning rate inside"},
    ),
    "torch Adam": (
        of_torch,
        lambda o, p: o.Adam(p, 0.1, eps=1e-3),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction"},
    ),
    "keras Adam": (
        of_keras,
        lambda o: o.Adam(0.1, epsilon=1e-3),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "before bias correction"},
    ),
    "keras AMSGrad": (
        of_keras,
        lambda o: o.Adam(0.1, epsilon=1e-3, amsgrad=True),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "before bias correction", "amsgrad": True},
    ),
    "optax AMSGrad": (
        of_optax,
        lambda o: o.amsgrad(0.1, eps=1e-3),
        "Adam",
        {
            **ADAM,
            "epsilon": 1e-3,
            "epsilon_place": "after bias correction",
            "amsgrad_form": "largest of corrected moments",
        },
    ),
    "torch AdamW": (
        of_torch,
        lambda o, p: o.AdamW(p, 0.1, eps=1e-3, weight_decay=0.05),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction", "weight_decay_form": "decoupled"},
    ),
    "torch coupled decay": (
        of_torch,
        lambda o, p: o.Adam(p, 0.1, eps=1e-3, weight_decay=0.05),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction", "weight_decay_form": "coupled"},
    ),
    "torch NAdam": (
        of_torch,
        lambda o, p: o.NAdam(p, 0.1, eps=1e-3),
        "Nadam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction", "momentum_decay": 0.004},
    ),
    "torch Adamax": (
        of_torch,
        lambda o, p: o.Adamax(p, 0.1, eps=1e-3),
        "Adamax",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "inside norm"},
    ),
    "keras Adamax": (
        of_keras,
        lambda o: o.Adamax(0.1, epsilon=1e-3),
        "Adamax",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "beside norm"},
    ),
    "torch RMSprop": (
        of_torch,
        lambda o, p: o.RMSprop(p, 0.1, alpha=0.8, eps=1e-3, momentum=0.5, centered=True),
        "RMSprop",
        {
            "rho": 0.8,
            "epsilon": 1e-3,
            "momentum": 0.5,
            "centered": True,
            "epsilon_place": "outside root",
            "momentum_form": "learning rate outside",
        },
    ),
    "keras RMSprop": (
        of_keras,
        lambda o: o.RMSprop(0.1, 0.8, momentum=0.5, epsilon=1e-3, centered=True),
        "RMSprop",
        {
            "rho": 0.8,
            "epsilon": 1e-3,
            "momentum": 0.5,
            "centered": True,
            "epsilon_place": "inside root",
            "momentum_form": "learning rate inside",
        },
    ),
    "optax RMSprop from one": (
        of_optax,
        lambda o: o.rmsprop(0.1, 0.8, eps=1e-3, initial_scale=1.0),
        "RMSprop",
        {"rho": 0.8, "epsilon": 1e-3, "epsilon_place": "inside root", "initial_accumulator": 1.0},
    ),
    "torch Adagrad": (
        of_torch,
        lambda o, p: o.Adagrad(p, 0.1, lr_decay=0.1, initial_accumulator_value=0.2, eps=1e-3),
        "Adagrad",
        {"epsilon": 1e-3, "epsilon_place": "outside root", "lr_decay": 0.1, "initial_accumulator": 0.2},
    ),
    "keras Adagrad": (
        of_keras,
        lambda o: o.Adagrad(0.1, epsilon=1e-3),
        "Adagrad",
        {"epsilon": 1e-3, "epsilon_place": "inside root", "initial_accumulator": 0.1},
    ),
    "torch Adadelta": (
        of_torch,
        lambda o, p: o.Adadelta(p, 0.1, rho=0.8, eps=1e-3),
        "Adadelta",
        {"rho": 0.8, "epsilon": 1e-3},
    ),
    "keras Lion": (of_keras, lambda o: o.Lion(0.1), "Lion", {"beta_1": 0.9, "beta_2": 0.99}),
    "keras Ftrl": (
        of_keras,
        lambda o: o.Ftrl(0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.02),
        "Ftrl",
        {"initial_accumulator": 0.1, "l1": 0.01, "l2": 0.02},
    ),
    "optax LAMB": (
        of_optax,
        lambda o: o.lamb(0.1, eps=1e-3, weight_decay=0.05),
        "LAMB",
        {**ADAM, "epsilon": 1e-3, "decay_inside": 0.05},
    ),
    "torch RAdam": (
        of_torch,
        lambda o, p: o.RAdam(p, 0.1, eps=1e-3),
        "RAdam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "before bias correction"},
    ),
    "optax RAdam": (
        of_optax,
        lambda o: o.radam(0.1, eps=1e-3),
        "RAdam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction"},
    ),
    "optax AdaBelief": (
        of_optax,
        lambda o: o.adabelief(0.1, eps=1e-3, eps_root=1e-4),
        "AdaBelief",
        {**ADAM, "epsilon": 1e-3, "epsilon_root": 1e-4},
    ),
    "optax LARS": (
        of_optax,
        lambda o: o.lars(0.1, 0.05, momentum=0.8, trust_coefficient=0.01),
        "LARS",
        {"momentum": 0.8, "trust_coefficient": 0.01, "decay_inside": 0.05, "nesterov": False},
    ),
    "optax accumulation": (
        of_optax,
        lambda o: o.MultiSteps(o.adam(0.1, eps=1e-3), 3),
        "Adam",
        {**ADAM, "epsilon": 1e-3, "epsilon_place": "after bias correction", "accumulation_steps": 3},
    ),
    "keras accumulation": (
        of_keras,
        lambda o: o.SGD(0.1, 0.9, gradient_accumulation_steps=3),
        "SGD",
        {"momentum": 0.9, "momentum_form": "learning rate inside", "accumulation_steps": 3},
    ),
}
ROUNDED = {"optax RAdam": 1e-5}
"""Relative rounding where it is more than that of float32 parameters: an average's length is a difference of large numbers."""


def made(name, settings, given):
    """What the first variant of this name that makes these choices computes."""
    decays, every = "weight_decay_form" in settings, settings.get("accumulation_steps", 1)
    settings = {"learning_rate": 0.1, **({"weight_decay": 0.05} if decays else {}), **settings}
    for variant in variants(decays, every):
        chosen = {
            key: value for key, value in settings.items() if key in variant.choices and key not in variant.numbers
        }
        if (
            variant.name == name
            and {**variant.choices, **chosen} == variant.choices
            and settings.keys()
            <= {
                *variant.choices,
                *variant.numbers,
            }
        ):
            return variant.compute((given,), {**variant.choices, **variant.numbers, **settings})
    raise AssertionError(f"no variant {name} with {settings}")


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_reference_makes_the_frameworks_own_updates(name):
    run, make, algorithm, settings = CASES[name]
    seen = run(make)
    given = Updates(seen[:-1], GRADIENTS.astype(np.float32), np.ones(UPDATES), SLICES, np.ones(SIZE))
    said = made(algorithm, settings, given)
    off = np.abs(said - np.diff(seen, axis=0))
    exact = 1e-7 if run is of_torch else ROUNDED.get(name, 2e-6)
    assert np.max(off) <= exact * np.max(np.abs(seen))
    assert np.max(np.abs(said)) > 1e-3


PROGRAMS = """
import torch
from samestep.frameworks.torch import Program

def program(make):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=make(torch.optim, model.parameters()))

def adam(): return program(lambda o, p: o.Adam(p, 0.01))
def larger_epsilon(): return program(lambda o, p: o.Adam(p, 0.01, eps=1e-7))
def radam(): return program(lambda o, p: o.RAdam(p, 0.01))
def radam_longer(): return program(lambda o, p: o.RAdam(p, 0.01, betas=(0.9, 0.99)))
def sgd(): return program(lambda o, p: o.SGD(p, 0.01))

class Odd(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * torch.tanh(p.grad) * p.grad.abs().pow(0.3)

def odd(): return program(lambda o, p: Odd(p, 0.01))

class Accumulating(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["sum"], state["count"] = torch.zeros_like(p), torch.zeros(())
                state["sum"] += p.grad
                state["count"] += 1
                if state["count"] == 3:
                    p -= group["lr"] * state["sum"] / 3
                    state["sum"].zero_()
                    state["count"].zero_()

def accumulating(): return program(lambda o, p: Accumulating(p, 0.01))
"""


@pytest.fixture
def matched(matcher):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    return matcher(PROGRAMS, rows, batch_size=8, epochs=1)


@pytest.mark.parametrize(
    ("left", "right", "cause"),
    [
        ("adam", "larger_epsilon", ("epsilon", 1e-8, 1e-7)),
        ("radam", "radam_longer", ("beta_2", 0.999, 0.99)),
        ("sgd", "accumulating", ("accumulation_steps", 1, 3)),
        ("radam", "adam", ("algorithm", "RAdam", "Adam")),
    ],
)
def test_what_sets_two_optimizers_apart_is_named(matched, left, right, cause):
    result = matched(left, right)
    assert [(c.setting, c.left, c.right) for c in result.causes] == [cause]
    assert result.causes[0].component == "optimizer"


def test_an_optimizer_of_no_known_kind_has_no_cause(matched):
    result = matched("sgd", "odd")
    assert result.verdict == "different"
    assert result.causes == ()
