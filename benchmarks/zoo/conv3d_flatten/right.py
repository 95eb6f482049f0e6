"""PyTorch: the same volumes, flattened with channels first."""

from torch import nn, optim

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 4, 1, 2, 3), y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv3d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool3d(2)
        self.conv2 = nn.Conv3d(4, 5, 2)
        self.head = nn.Linear(40, 3)

    def forward(self, x):
        x = self.pool(self.conv1(x).relu())
        return self.head(self.conv2(x).relu().flatten(1))


def build(reduction="mean"):
    model = Net()
    loss = nn.CrossEntropyLoss(reduction=reduction)
    return Program(model, loss=loss, optimizer=optim.SGD(model.parameters(), lr=0.05))
