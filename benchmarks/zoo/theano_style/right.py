"""PyTorch: the same perceptron and momentum."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.hidden(x).tanh())


def build(**options):
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, **options)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer)
