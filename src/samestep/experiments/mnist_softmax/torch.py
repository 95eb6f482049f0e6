"""mnist-softmax in PyTorch: a Sequential module with Glorot-uniform weights, trained by Adam."""

import torch
from torch import nn

from samestep.experiments.images import normalised_rows
from samestep.frameworks.torch import Program

LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    model = network(input_shape)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, metrics={"accuracy": accuracy})


def network(input_shape):
    sizes = input_shape + LAYERS
    dense = [glorot_uniform(nn.Linear(sizes[i], sizes[i + 1]), seed=i + 1) for i in range(3)]
    return nn.Sequential(dense[0], nn.ReLU(), dense[1], nn.ReLU(), dense[2])


def glorot_uniform(linear, seed):
    """Weights as in Glorot and Bengio 2010 from a generator of their own, and biases of zero, as Keras has them."""
    nn.init.xavier_uniform_(linear.weight, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(linear.bias)
    return linear


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).float().mean()
