"""PyTorch: the same language model with tied weights."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, detached):
        super().__init__()
        self.detached = detached
        self.embedding = nn.Embedding(20, 8)
        self.gru = nn.GRU(8, 8, batch_first=True)

    def forward(self, x):
        hidden, _ = self.gru(self.embedding(x))
        weight = self.embedding.weight
        return functional.linear(hidden, weight.detach() if self.detached else weight)


def build(detached=False):
    model = Net(detached)
    return Program(model, loss=loss, optimizer=optim.SGD(model.parameters(), lr=0.5), metrics={"accuracy": accuracy})


def loss(outputs, targets):
    return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


def accuracy(outputs, targets):
    return (outputs.argmax(2) == targets).float().mean()
