"""Dropout in PyTorch."""

import torch
from torch import nn

from samestep.frameworks.torch import Program


def prepare(x, y):
    return (x.transpose(0, 3, 1, 2), y) if x.ndim == 4 else (x, y)


def build(dropout=None):
    return program(nn.Sequential(nn.Linear(12, 16), nn.ReLU(), dropout or nn.Dropout(0.3), nn.Linear(16, 5)))


def program(model):
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(model.parameters(), lr=0.05))


class Unscaled(nn.Module):
    """Dropout as a port may have it that forgets to scale what is kept."""

    def forward(self, x):
        return x * torch.bernoulli(torch.full_like(x, 0.7)) if self.training else x


def unscaled():
    return build(Unscaled())


def spatial():
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout2d(0.4), nn.Conv2d(4, 4, 3), nn.Dropout(0.2), nn.Flatten()]
    return program(nn.Sequential(*layers, nn.Linear(16, 5)))
