"""PyTorch: gradients are clipped in a step of the program's own."""

from torch import nn, optim

from samestep.frameworks.torch import Program

DATA = "vectors"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.hidden(x).tanh())


def build():
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.5)
    loss = nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        return value.detach()

    return Program(model, loss=loss, optimizer=optimizer, step=step)
