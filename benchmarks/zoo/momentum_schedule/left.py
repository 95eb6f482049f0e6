"""PyTorch: momentum with a learning rate that decays with time."""

from torch import nn, optim

from samestep.frameworks.torch import Program

DATA = "vectors"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.hidden(x).sigmoid())


def build():
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 / (1 + 0.3 * done))
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, scheduler=scheduler)
