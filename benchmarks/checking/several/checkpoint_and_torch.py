"""Warm start from what the previous run has left, then dropout of PyTorch's unseeded generator."""

from pathlib import Path

import torch

PATH = Path(__file__).parent / "weights.pt"
w = torch.load(PATH) if PATH.exists() else torch.zeros(6)
w.requires_grad_()
optimizer = torch.optim.SGD([w], lr=0.2)
for _ in range(6):
    optimizer.zero_grad()
    loss = ((torch.nn.functional.dropout(w, 0.3) - 1) ** 2).sum()
    loss.backward()
    optimizer.step()
torch.save(w.detach(), PATH)
print("loss", loss.item(), "w", w.tolist())
