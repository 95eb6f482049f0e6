"""PyTorch: the same grouped convolutions."""

from torch import nn, optim

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


class Net(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.groups = groups
        self.conv1 = nn.Conv2d(3, 12, 3, groups=3)
        self.conv2 = nn.Conv2d(12, 8, 3, padding=1, groups=2)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv1(x).relu()
        x = x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        return self.head(self.conv2(x).relu().mean((2, 3)))


def build(groups=3):
    model = Net(groups)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
