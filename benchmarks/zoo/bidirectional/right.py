"""PyTorch: a bidirectional LSTM; the backward half's last output is that of the first token."""

import torch
from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, last_token):
        super().__init__()
        self.last_token = last_token
        self.embedding = nn.Embedding(20, 6)
        self.both = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)
        for bias in (self.both.bias_hh_l0, self.both.bias_hh_l0_reverse):
            nn.init.zeros_(bias).requires_grad_(False)

    def forward(self, x):
        outputs, (last, _) = self.both(self.embedding(x))
        return self.head(outputs[:, -1] if self.last_token else torch.cat([last[0], last[1]], 1))


def build(last_token=False):
    model = Net(last_token)
    trained = [p for p in model.parameters() if p.requires_grad]
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(trained, lr=0.2))
