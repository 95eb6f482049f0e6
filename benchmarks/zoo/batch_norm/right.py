"""PyTorch: batch normalisation with Keras's epsilon, and with the biased variance in the moving average."""

import torch
from torch import nn, optim

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y


def biased(norm):
    """The class of layer with the batch's biased variance in its moving average, where PyTorch takes the unbiased one."""

    class Biased(norm):
        def forward(self, x):
            if not self.training:
                return super().forward(x)
            axes = [axis for axis in range(x.dim()) if axis != 1]
            variance, mean = torch.var_mean(x.detach(), axes, correction=0)
            self.running_mean.mul_(1 - self.momentum).add_(mean * self.momentum)
            self.running_var.mul_(1 - self.momentum).add_(variance * self.momentum)
            return nn.functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)

    Biased.__name__ = norm.__name__
    return Biased


class Net(nn.Module):
    def __init__(self, of, options):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, bias=False)
        self.norm1 = of(nn.BatchNorm2d)(6, **options)
        self.pool = nn.AvgPool2d(2)
        self.hidden = nn.Linear(54, 10)
        self.norm2 = of(nn.BatchNorm1d)(10, **options)
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        x = self.pool(self.norm1(self.conv(x)).relu())
        return self.head(self.norm2(self.hidden(x.flatten(1))))


def build(of=biased, **options):
    model = Net(of, {"eps": 1e-3, "momentum": 0.1, **options})
    return Program(
        model,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(model.parameters(), lr=0.05),
        metrics={"accuracy": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()},
    )
