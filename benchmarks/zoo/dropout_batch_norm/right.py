"""PyTorch: the same network, its moving average as Keras has it."""

import torch
from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


class BatchNorm(nn.BatchNorm1d):
    """With the biased variance in the moving average."""

    def forward(self, x):
        if self.training:
            variance, mean = torch.var_mean(x.detach(), 0, correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
            return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


class Net(nn.Module):
    def __init__(self, dropped):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.drop1 = nn.Dropout(dropped)
        self.deeper = nn.Linear(16, 10)
        self.norm = BatchNorm(10, eps=1e-3, momentum=0.1)
        self.drop2 = nn.Dropout(0.2)
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        x = self.deeper(self.drop1(self.hidden(x).relu()))
        return self.head(self.drop2(self.norm(x)))


def build(dropped=0.3):
    model = Net(dropped)
    return Program(
        model,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(model.parameters(), lr=0.05),
        metrics={"accuracy": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()},
    )
