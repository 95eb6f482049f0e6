"""PyTorch: depthwise convolutions by groups, and a pointwise one."""

from torch import nn, optim

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


class Net(nn.Module):
    def __init__(self, between):
        super().__init__()
        self.depthwise = nn.Conv2d(3, 6, 3, groups=3)
        self.separable = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), between, nn.Conv2d(6, 8, 1))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.separable(self.depthwise(x).relu()).relu()
        return self.head(x.amax((2, 3)))


def build(between=None):
    model = Net(between or nn.Identity())
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.05))
