"""PyTorch: the same U-Net."""

import torch
from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


class Net(nn.Module):
    def __init__(self, upsampling):
        super().__init__()
        self.upsampling = upsampling
        self.down1 = nn.Conv2d(3, 6, 3, padding=1)
        self.down2 = nn.Conv2d(6, 8, 3, padding=1)
        self.bottom = nn.Conv2d(8, 10, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(10, 8, 2, stride=2)
        self.join2 = nn.Conv2d(16, 6, 3, padding=1)
        self.join1 = nn.Conv2d(12, 6, 3, padding=1)
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, x):
        top = self.down1(x).relu()
        middle = self.down2(functional.max_pool2d(top, 2)).relu()
        x = self.bottom(functional.avg_pool2d(middle, 2)).relu()
        x = self.join2(torch.cat([self.up2(x).relu(), middle], 1)).relu()
        x = functional.interpolate(x, scale_factor=2, mode=self.upsampling)
        return self.head(self.join1(torch.cat([x, top], 1)).relu())


def build(upsampling="nearest"):
    model = Net(upsampling)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=0.003))
