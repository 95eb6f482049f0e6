"""PyTorch: the same GRUs; their gates stand in another order."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.gru1 = nn.GRU(6, 7, batch_first=batch_first)
        self.gru2 = nn.GRU(7, 5, batch_first=batch_first)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x, _ = self.gru1(x)
        x, _ = self.gru2(x)
        return self.head(x[:, -1])


def build(batch_first=True):
    model = Net(batch_first)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1))
