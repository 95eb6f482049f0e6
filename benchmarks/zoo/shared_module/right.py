"""PyTorch: one encoder, called twice."""

import torch
from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, distance):
        super().__init__()
        self.distance = distance
        self.encoder = nn.Sequential(nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 6))
        self.same = nn.Linear(6, 1)

    def forward(self, one, other):
        return self.same(self.distance(self.encoder(one) - self.encoder(other)))


def build(distance=torch.abs):
    model = Net(distance)
    return Program(model, loss=nn.BCEWithLogitsLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1))
