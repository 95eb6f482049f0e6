"""PyTorch: the same, the penalty written out in the step, since Keras's is part of the loss."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(nn.functional.softplus(self.hidden(x)))


def build(nesterov=True, factor=0.01):
    model = Net()
    kernels = [model.hidden.weight, model.head.weight]

    def loss(outputs, targets):
        penalty = factor * sum((kernel**2).sum() for kernel in kernels)
        return nn.functional.huber_loss(outputs, targets) + penalty

    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=nesterov)
    return Program(model, loss=loss, optimizer=optimizer)
