"""Weights are constant at first; only the DataLoader's shuffling is left to chance."""

import torch
from torch.utils.data import DataLoader, TensorDataset

x = torch.arange(40.0).reshape(20, 2) / 40
y = x @ torch.tensor([1.0, -1.0])
loader = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)

w = torch.zeros(2, requires_grad=True)
opt = torch.optim.Adam([w], lr=0.05)
for epoch in range(2):
    for xb, yb in loader:
        opt.zero_grad()
        loss = torch.mean((xb @ w - yb) ** 2)
        loss.backward()
        opt.step()
    print(epoch, loss.item(), w.tolist())
