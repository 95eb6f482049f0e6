"""Calls torch.seed(), in the belief that it makes the run repeatable."""

import torch

seed = torch.seed()
w = torch.randn(3, requires_grad=True)
target = torch.tensor([1.0, -2.0, 0.5])
for _ in range(15):
    loss = ((w - target) ** 2).sum()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad.zero_()
print("w =", w.tolist())
