"""PyTorch: a Program of modules."""

import random

import torch
from torch import nn

from samestep.frameworks.torch import Program

torch.manual_seed(random.getrandbits(32))  # samestep has seeded Python, but cannot seed what a case imports later


class Permute(nn.Module):
    """Swaps axes, such as from channels last to channels first."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def channels_first():
    """Images with channels last become such with channels first."""
    return Permute(0, 3, 1, 2)


def trained(model, optimizer=None, loss=None, scheduler=None, metrics=None):
    """A module in training: plain SGD and the cross entropy of logits if nothing else is named."""
    optimizer = (optimizer or (lambda parameters: torch.optim.SGD(parameters, lr=0.1)))(model.parameters())
    return Program(
        model,
        loss=loss or nn.CrossEntropyLoss(),
        optimizer=optimizer,
        scheduler=scheduler and scheduler(optimizer),
        metrics=metrics,
    )


def net(units=3, *after):
    """12 inputs, 16 hidden units with tanh, 3 outputs."""
    return nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, units), *after)


def perceptron(optimizer=None, loss=None, scheduler=None, metrics=None, units=3):
    """The same, trained."""
    return trained(net(units), optimizer, loss, scheduler, metrics)
