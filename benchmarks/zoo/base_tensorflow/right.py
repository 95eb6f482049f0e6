"""PyTorch: the same; windows that reach over the edge see what is inside of it."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


def over_the_edge(x):
    return functional.max_pool2d(x, 3, 2, ceil_mode=True)


class Net(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.conv = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(54, 5)

    def forward(self, x):
        return self.head(self.pool(self.conv(x)).tanh().flatten(1))


def build(pool=over_the_edge):
    model = Net(pool)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer)
