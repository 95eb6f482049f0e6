"""PyTorch: the same residual network, "same" padding and the moving averages as Keras has them."""

import torch
from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


class BatchNorm(nn.BatchNorm2d):
    """With the biased variance in the moving average."""

    def forward(self, x):
        if self.training:
            variance, mean = torch.var_mean(x.detach(), (0, 2, 3), correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
            return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


class Conv(nn.Conv2d):
    """Padded as "same": behind only where the stride is 2."""

    def __init__(self, inputs, outputs, size, stride=1):
        super().__init__(inputs, outputs, size, stride, bias=False)
        before, behind = (size - stride) // 2, (size - stride + 1) // 2
        self.same = (before, behind) * 2 if size > 1 else (0, 0, 0, 0)

    def forward(self, x):
        return super().forward(functional.pad(x, self.same))


class Block(nn.Module):
    def __init__(self, inputs, outputs, strides):
        super().__init__()
        self.shortcut = nn.Sequential()
        if sum(strides) > 2:
            self.shortcut = nn.Sequential(Conv(inputs, outputs, 1, max(strides)), BatchNorm(outputs))
        self.conv1, self.norm1 = Conv(inputs, outputs, 3, strides[0]), BatchNorm(outputs)
        self.conv2, self.norm2 = Conv(outputs, outputs, 3, strides[1]), BatchNorm(outputs)

    def forward(self, x):
        inner = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(inner)) + self.shortcut(x)).relu()


class Net(nn.Module):
    def __init__(self, strides):
        super().__init__()
        self.stem, self.stem_norm = Conv(3, 6, 3), BatchNorm(6)
        self.block1 = Block(6, 6, (1, 1))
        self.block2 = Block(6, 10, strides)
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        x = self.stem_norm(self.stem(x)).relu()
        return self.head(self.block2(self.block1(x)).mean((2, 3)))


def build(strides=(2, 1), dampening=0.0):
    model = Net(strides)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, dampening=dampening)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, metrics={"accuracy": accuracy})


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()
