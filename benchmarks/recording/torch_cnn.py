"""PyTorch, a loop by hand: two convolutions of 16 and 32 channels on 28 x 28, Adam."""

import torch
from timing import BATCH, rows, timed
from torch import nn

x, y = (torch.from_numpy(array) for array in rows((1, 28, 28)))
convolutions = [nn.Conv2d(1, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU()]
model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(32 * 6 * 6, 10))
optimizer = torch.optim.Adam(model.parameters())


def train(first, last):
    for step in range(first, last):
        part = slice(step * BATCH, (step + 1) * BATCH)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()


timed(train)
