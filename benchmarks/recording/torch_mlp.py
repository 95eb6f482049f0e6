"""PyTorch, a loop by hand: 784-128-128-10, Adam."""

import torch
from timing import BATCH, rows, timed
from torch import nn

x, y = (torch.from_numpy(array) for array in rows((784,)))
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters())


def train(first, last):
    for step in range(first, last):
        part = slice(step * BATCH, (step + 1) * BATCH)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()


timed(train)
