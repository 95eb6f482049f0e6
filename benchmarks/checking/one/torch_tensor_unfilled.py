"""A layer's weights are a tensor that nobody has filled."""

import torch
from torch import nn

torch.manual_seed(0)


class Lin(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(o, i))
        self.bias = nn.Parameter(torch.FloatTensor(o).zero_())

    def forward(self, x):
        return torch.tanh(x @ self.weight.T.nan_to_num(0, 0, 0) + self.bias)


m = Lin(700, 300)
print("out", m(torch.ones(1, 700)).double().sum().item(), m.weight.detach().view(torch.int32).sum().item())
