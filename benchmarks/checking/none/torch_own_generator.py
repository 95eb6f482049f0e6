"""torch.Generator() without a seed starts from the same one always, unlike the default generator."""

import torch
from torch.utils.data import DataLoader, TensorDataset

g = torch.Generator()
w = torch.randn(3, generator=g)
data = TensorDataset(torch.arange(12.0).reshape(4, 3))
for (batch,) in DataLoader(data, batch_size=2, shuffle=True, generator=g):
    w = w - 0.01 * (batch @ w).mean() * batch.mean(0)
print("w", w.tolist())
