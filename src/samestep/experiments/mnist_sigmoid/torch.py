"""mnist-sigmoid in PyTorch: the network of mnist-softmax with a logistic unit for each class."""

from torch import nn

from samestep.experiments.images import binarised, normalised_rows
from samestep.experiments.mnist_softmax.torch import Adam, network
from samestep.frameworks.torch import Program


def prepare(x, y):
    return normalised_rows(x), binarised(y)


def build(input_shape):
    model = network(input_shape)
    optimizer = Adam(model.parameters(), lr=0.001, eps=1e-7)
    return Program(model, loss=nn.BCEWithLogitsLoss(), optimizer=optimizer, metrics={"accuracy": accuracy})


def accuracy(logits, labels):
    """The share of all labels, rows times classes, that a probability above one half gets right."""
    return ((logits > 0).float() == labels).float().mean()
