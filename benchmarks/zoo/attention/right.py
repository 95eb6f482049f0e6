"""PyTorch: the same attention, its three projections in one tensor."""

import torch
from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)
        hidden = torch.triu(torch.ones(9, 9, dtype=torch.bool), diagonal=1)
        self.register_buffer("hidden", hidden if causal else None, persistent=False)

    def forward(self, x):
        x = self.embed(x)
        attended, _ = self.attention(x, x, x, attn_mask=self.hidden, need_weights=False)
        return self.head((x + attended).mean(1))


def build(causal=True):
    model = Net(causal)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
