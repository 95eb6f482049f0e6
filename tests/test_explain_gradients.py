"""Causes of different gradients where outputs and losses agree."""

import numpy as np
import pytest

import samestep

PROGRAMS = """
import torch
from samestep.frameworks.torch import Program

class Net(torch.nn.Module):
    def __init__(self, cut):
        super().__init__()
        self.cut, self.first, self.last = cut, torch.nn.Linear(5, 8), torch.nn.Linear(8, 3)

    def forward(self, x):
        hidden = self.first(x).relu()
        return self.last(hidden.detach() if self.cut else hidden)

def program(change=lambda model: None, scale=lambda x: 1.0, cut=False):
    torch.manual_seed(0)
    model, loss = Net(cut), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        (value * scale(x)).backward()
        change(model)
        optimizer.step()
        return value

    return Program(model, loss=loss, optimizer=optimizer, step=step)

def each(function, least=1):
    return lambda model: [function(p) for p in model.parameters() if p.ndim >= least]

def clipped(limit):
    return lambda model: torch.nn.utils.clip_grad_norm_(model.parameters(), limit)

plain = lambda: program()
summed = lambda: program(scale=len)
by_value = lambda: program(lambda model: torch.nn.utils.clip_grad_value_(model.parameters(), 0.01))
by_global_norm, by_less = lambda: program(clipped(0.1)), lambda: program(clipped(0.05))
decayed = lambda: program(each(lambda p: p.grad.add_(p.data, alpha=0.02)))
decayed_kernels = lambda: program(each(lambda p: p.grad.add_(p.data, alpha=0.02), 2))
shrunk = lambda: program(each(lambda p: p.grad.add_(p.data.sign(), alpha=0.002)))
detached = lambda: program(cut=True)
reversed_ = lambda: program(lambda model: model.first.weight.grad.neg_())
noisy = lambda: program(each(lambda p: p.grad.add_(torch.randn_like(p) * 0.01)))

def looking_up(**options):
    torch.manual_seed(0)
    table = torch.nn.Embedding(5, 3, **options)
    table.weight.data.copy_(torch.rand(5, 3))
    model = torch.nn.Sequential(table, torch.nn.Flatten(), torch.nn.Linear(12, 3))
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(model.parameters(), 1e-2))

words, words_and_padding = lambda: looking_up(), lambda: looking_up(padding_idx=2)
bent = lambda: program(each(lambda p: p.grad.copy_(p.grad.sign() * p.grad.abs() ** 0.9)))
"""
FIRST = ["first.weight", "first.bias"]


@pytest.fixture
def match(program, kept):
    """A match of two of the programs above."""
    path = program(PROGRAMS)

    def run(left, right, tokens=False):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(32, 5)).astype(np.float32), rng.integers(0, 3, 32)
        x = rng.integers(0, 5, (32, 4)) if tokens else x
        result = samestep.match(f"{path}:{left}", f"{path}:{right}", data=(x, y), batch_size=16, steps=1)
        assert result.first_difference.stage == "gradients"
        return result

    return run


@pytest.mark.parametrize(
    ("left", "right", "named"),
    [
        ("summed", "plain", ("gradient", "scale", "batch size", 1.0)),
        ("plain", "by_value", ("gradient", "clip_value", None, 0.01)),
        ("plain", "by_global_norm", ("gradient", "global_clip_norm", None, 0.1)),
        ("by_global_norm", "by_less", ("gradient", "global_clip_norm", 0.1, 0.05)),
        ("plain", "decayed", ("regularizer", "l2", 0.0, 0.01)),
        ("shrunk", "plain", ("regularizer", "l1", 0.002, 0.0)),
        ("plain", "detached", ("mode", "trainable", FIRST, [])),
        ("plain", "reversed_", ("gradient", "scale", {"first.weight": 1.0}, {"first.weight": -1.0})),
    ],
)
def test_what_is_done_to_the_gradients_is_named_and_nothing_else(match, left, right, named):
    result = match(left, right)
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes if c.confirmed] == [named]


def test_decay_of_some_tensors_says_which(match):
    (cause,) = match("plain", "decayed_kernels").causes
    assert (cause.component, cause.setting, cause.right) == ("regularizer", "l2", 0.01)
    assert "first.weight, last.weight" in cause.fix


def test_noise_is_named_by_its_size(match):
    (cause,) = match("plain", "noisy").causes
    assert (cause.component, cause.setting, cause.left) == ("gradient", "noise", 0.0)
    assert cause.right == pytest.approx(0.01, rel=0.25)


def test_a_row_of_an_embedding_that_has_no_gradient_is_padding(match):
    (cause,) = match("words", "words_and_padding", tokens=True).causes
    assert (cause.component, cause.setting, cause.left, cause.right) == ("gradient", "padding_idx", None, 2)
    assert cause.confirmed
    assert "left: nn.Embedding(…, padding_idx=2)" in cause.fix


def test_no_cause_is_named_for_gradients_that_nothing_known_turns_into_the_others(match):
    result = match("plain", "bent")
    assert result.causes == ()
    assert "cause not found" in next(stage.note for stage in result.stages if stage.stage == "gradients")
