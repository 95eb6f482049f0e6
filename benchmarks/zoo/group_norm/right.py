"""PyTorch: group normalisation with Keras's epsilon."""

from torch import nn, optim

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


class Net(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.GroupNorm(groups, 8, eps=1e-3)
        self.leaky = nn.LeakyReLU(0.2)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.leaky(self.norm(self.conv(x))).mean((2, 3)))


def build(groups=4):
    model = Net(groups)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.05))
