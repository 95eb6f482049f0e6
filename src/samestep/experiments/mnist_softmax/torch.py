"""mnist-softmax in PyTorch: a Sequential module with Glorot-uniform weights, and Adam with epsilon where TensorFlow has it."""

import math

import torch
from torch import nn

from samestep.experiments.images import normalised_rows
from samestep.frameworks.torch import Program

LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    model = network(input_shape)
    optimizer = Adam(model.parameters(), lr=0.001, eps=1e-7)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, metrics={"accuracy": accuracy})


class Adam(torch.optim.Adam):
    """Adam in the form at the end of section 2 of Kingma and Ba 2015, as TensorFlow and Keras have it.

    Epsilon is added to the root of the second moment as it is, and not after the correction of its bias, where the same
    number counts for less: by the root of 1 - beta_2, some 30 times, in the first update.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """One update, for which epsilon is divided by what PyTorch is about to divide the root of the moment by."""
        step = 1 + max((int(state["step"]) for state in self.state.values()), default=0)
        given = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            group["eps"] /= math.sqrt(1 - group["betas"][1] ** step)
        loss = super().step(closure)
        for group, epsilon in zip(self.param_groups, given):
            group["eps"] = epsilon
        return loss


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
