"""PyTorch: the same perceptron, with Keras's form of Adam."""

import torch
from torch import nn

from samestep.frameworks.torch import Program


class Adam(torch.optim.Adam):
    """Adds epsilon before the bias correction of the second moment, as Keras does ("epsilon hat" of Kingma and Ba 2015)."""

    def step(self, closure=None):
        plain = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            group["eps"] /= (1 - group["betas"][1] ** (self.updates(group) + 1)) ** 0.5
        loss = super().step(closure)
        for group, epsilon in zip(self.param_groups, plain, strict=True):
            group["eps"] = epsilon
        return loss

    def updates(self, group):
        return max((int(self.state[p]["step"]) for p in group["params"] if p in self.state), default=0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.deeper = nn.Linear(16, 10)
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        return self.head(torch.tanh(self.deeper(torch.relu(self.hidden(x)))))


def build(optimizer=Adam, loss=nn.functional.cross_entropy):
    model = Net()
    return Program(
        model, loss=loss, optimizer=optimizer(model.parameters(), lr=0.01, eps=1e-7), metrics={"accuracy": accuracy}
    )


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()
