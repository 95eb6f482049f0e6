"""PyTorch: the same encoder of nn.TransformerEncoderLayer, without its dropout and with Flax's epsilon."""

import torch
from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.tokens = nn.Embedding(20, 8)
        self.positions = nn.Embedding(10, 8)
        layers = [nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, **options) for _ in range(2)]
        self.block1, self.block2 = layers
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.tokens(x) + self.positions(torch.arange(10))
        return self.head(self.block2(self.block1(x)).mean(1))


def build(optimizer=optim.AdamW, **options):
    model = Net(**{"layer_norm_eps": 1e-6, **options})
    return Program(
        model, loss=nn.CrossEntropyLoss(), optimizer=optimizer(model.parameters(), lr=0.01, weight_decay=0.1)
    )
