"""PyTorch: the same attention by hand, its heads split from plain linear layers."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Attention(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.query, self.key, self.value = (nn.Linear(6, 12) for _ in range(3))
        self.out = nn.Linear(12, 6)

    def forward(self, x):
        query, key, value = (
            project(x).unflatten(2, (3, 4)).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        weights = (query @ key.transpose(2, 3) * self.scale).softmax(3)
        return self.out((weights @ value).transpose(1, 2).flatten(2))


class Net(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.attention = Attention(scale)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.attention(x).mean(1))


def build(scale=4**-0.5):
    model = Net(scale)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=0.01))
