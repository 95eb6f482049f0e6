"""PyTorch: RMS normalisation with Flax's epsilon."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.norm = norm
        self.gate = nn.Linear(12, 16)
        self.value = nn.Linear(12, 16, bias=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.norm(x)
        return self.head(functional.silu(self.gate(x)) * self.value(x))


def build(norm=None):
    model = Net(norm or nn.RMSNorm(12, eps=1e-6))
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=0.01))
