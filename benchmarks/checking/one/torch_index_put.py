"""Gradients of many rows are accumulated by index_put_ on several threads."""

import torch

torch.manual_seed(0)
torch.set_num_threads(4)

values = torch.randn(1_000_000)
rows = torch.randint(0, 50, (1_000_000,))
totals = torch.zeros(50)
totals.index_put_((rows,), values, accumulate=True)
weights = torch.ones(50)
for _ in range(3):
    weights = weights - 1e-3 * totals * weights
print("norm", weights.norm().item(), "first", totals[:3].tolist())
