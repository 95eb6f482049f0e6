"""Three generators, none of them seeded: random splits, NumPy makes noise, PyTorch draws weights."""

import random

import numpy as np
import torch

rows = list(range(40))
random.shuffle(rows)
x = np.stack([np.linspace(0, 1, 40), np.linspace(1, 0, 40) ** 2], axis=1)[rows]
x = x + np.random.normal(scale=0.05, size=x.shape)
inputs = torch.tensor(x[:30], dtype=torch.float32)
target = inputs.sum(1, keepdim=True)
layer = torch.nn.Linear(2, 1)
sgd = torch.optim.SGD(layer.parameters(), lr=0.2)
for batch, wanted in zip(inputs.split(5), target.split(5)):
    sgd.zero_grad()
    loss = torch.nn.functional.l1_loss(layer(batch), wanted)
    loss.backward()
    sgd.step()
print("loss", loss.item())
