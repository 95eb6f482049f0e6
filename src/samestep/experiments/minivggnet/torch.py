"""minivggnet in PyTorch: a Sequential module on images with channels first, and a scheduler for the decay."""

import torch
from torch import nn
from torch.nn import functional

from samestep.experiments.images import one_hot, scaled
from samestep.experiments.minivggnet import DECAY, RATE
from samestep.frameworks.torch import Program


def prepare(x, y):
    return scaled(x).transpose(0, 3, 1, 2), one_hot(y)


def build(input_shape):
    channels, height, width = input_shape
    model = nn.Sequential(
        *convolutions(channels, 32),
        *convolutions(32, 64),
        nn.Flatten(),
        glorot_uniform(nn.Linear(64 * (height // 4) * (width // 4), 512)),
        nn.ReLU(),
        BatchNorm1d(512, eps=1e-3, momentum=0.01),
        nn.Dropout(0.5),
        glorot_uniform(nn.Linear(512, 10)),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda updates: 1 / (1 + DECAY * updates))
    return Program(
        model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, scheduler=scheduler, metrics={"accuracy": accuracy}
    )


def convolutions(channels, filters):
    """Two convolutions, each with activation and normalisation, then pooling and dropout."""
    return [
        *convolution(channels, filters),
        *convolution(filters, filters),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
    ]


def convolution(channels, filters):
    layer = glorot_uniform(nn.Conv2d(channels, filters, 3, padding="same"))
    return layer, nn.ReLU(), BatchNorm2d(filters, eps=1e-3, momentum=0.01)


class BiasedVariance:
    """Batch normalisation whose running variance averages variances of n, as in Keras: PyTorch averages those of n - 1."""

    def forward(self, x):
        """The batch normalised by its own statistics, which enter the running ones; or by the running ones."""
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.dim())]
        with torch.no_grad():
            self.running_mean.lerp_(x.mean(axes), self.momentum)
            self.running_var.lerp_(x.var(axes, unbiased=False), self.momentum)
        return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)


class BatchNorm1d(BiasedVariance, nn.BatchNorm1d):
    """Of rows of features."""


class BatchNorm2d(BiasedVariance, nn.BatchNorm2d):
    """Of images."""


def glorot_uniform(layer):
    """Weights as in Glorot and Bengio 2010 and biases of zero, as Keras has them."""
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def accuracy(logits, targets):
    return (logits.argmax(1) == targets.argmax(1)).float().mean()
