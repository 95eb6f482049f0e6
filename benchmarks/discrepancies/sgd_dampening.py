"""Dampening as large as the momentum, as Lua Torch had by default."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "dampening"
LEFT = 0.9
RIGHT = 0.0
SEEN = "https://github.com/torch/optim/issues/163"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, dampening=0.9))


def right(dampening=0.0):
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, dampening=dampening))


def mended():
    return right(dampening=0.9)
