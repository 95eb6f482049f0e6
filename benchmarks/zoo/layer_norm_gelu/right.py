"""PyTorch: with Flax's epsilon and its approximation of GELU by tanh."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, approximate, epsilon):
        super().__init__()
        self.hidden = nn.Linear(12, 16)
        self.norm = nn.LayerNorm(16, eps=epsilon)
        self.gelu = nn.GELU(approximate)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.gelu(self.norm(self.hidden(x))))


def build(approximate="tanh", epsilon=1e-6):
    model = Net(approximate, epsilon)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=0.01, eps=1e-8))
