"""PyTorch: the same nesting."""

from torch import nn, optim

from samestep.frameworks.torch import Program


def added_before(x, inner):
    return (x + inner).relu()


class Block(nn.Module):
    def __init__(self, join):
        super().__init__()
        self.join = join
        self.widen = nn.Linear(8, 16)
        self.narrow = nn.Linear(16, 8)

    def forward(self, x):
        return self.join(x, self.narrow(self.widen(x).tanh()))


class Net(nn.Module):
    def __init__(self, join):
        super().__init__()
        self.embed = nn.Linear(12, 8)
        self.stages = nn.Sequential(*(nn.Sequential(Block(join), Block(join)) for _ in range(2)))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.stages(self.embed(x)))


def build(join=added_before):
    model = Net(join)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=0.01))
