"""A hand-written layer whose bias is torch.empty, never filled."""

import torch


class Affine(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((outputs, inputs), 0.1))
        self.bias = torch.nn.Parameter(torch.empty(outputs))

    def forward(self, x):
        return x @ self.weight.T + self.bias


torch.manual_seed(0)
layer = Affine(3, 12)
x = torch.ones(4, 3)
for _ in range(3):
    out = torch.sigmoid(layer(x)).sum()
    out.backward()
    with torch.no_grad():
        for p in layer.parameters():
            p -= 0.1 * p.grad
            p.grad = None
print("sum of outputs", out.item(), "bias", layer.bias.tolist())
