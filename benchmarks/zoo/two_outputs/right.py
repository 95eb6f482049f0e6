"""PyTorch: the same two outputs, as a dict."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(12, 16)
        self.kind = nn.Linear(16, 4)
        self.value = nn.Linear(16, 2)

    def forward(self, x):
        trunk = functional.elu(self.trunk(x))
        return {"kind": self.kind(trunk), "value": self.value(trunk)}


def build(weight=0.5):
    def loss(outputs, targets):
        kind = functional.cross_entropy(outputs["kind"], targets["kind"])
        return kind + weight * functional.mse_loss(outputs["value"], targets["value"])

    model = Net()
    return Program(model, loss=loss, optimizer=optim.SGD(model.parameters(), lr=0.1))
