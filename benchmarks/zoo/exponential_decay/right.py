"""PyTorch: the same rate by StepLR, which advances once an update."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(nn.functional.selu(self.hidden(x)))


def stairs(optimizer):
    return optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.7)


def build(scheduler=stairs):
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, scheduler=scheduler(optimizer))
