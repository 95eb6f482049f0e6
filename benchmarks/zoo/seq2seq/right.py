"""PyTorch: the same encoder and decoder."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, hand_over):
        super().__init__()
        self.hand_over = hand_over
        self.heard, self.said = nn.Embedding(12, 6), nn.Embedding(12, 6)
        self.encoder = nn.GRU(6, 8, batch_first=True)
        self.decoder = nn.GRU(6, 8, batch_first=True)
        self.head = nn.Linear(8, 12)

    def forward(self, source, before):
        outputs, state = self.encoder(self.heard(source))
        x, _ = self.decoder(self.said(before), self.hand_over(outputs, state))
        return self.head(x)


def build(hand_over=lambda outputs, state: state):
    model = Net(hand_over)
    return Program(model, loss=loss, optimizer=optim.SGD(model.parameters(), lr=0.5), metrics={"accuracy": accuracy})


def loss(outputs, targets):
    return functional.cross_entropy(outputs.transpose(1, 2), targets)


def accuracy(outputs, targets):
    return (outputs.argmax(2) == targets).float().mean()
