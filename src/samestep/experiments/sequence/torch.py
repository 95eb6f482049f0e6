"""sequence in PyTorch: two Linear layers with Glorot-uniform weights from PyTorch's global generator."""

from torch import nn

from samestep.experiments.mnist_softmax.torch import Adam
from samestep.frameworks.torch import Program


def build(input_shape):
    model = nn.Sequential(dense(input_shape[0], 10), dense(10, 1))
    return Program(model, loss=nn.MSELoss(), optimizer=Adam(model.parameters(), lr=0.001, eps=1e-7))


def dense(size, units):
    layer = nn.Linear(size, units)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
