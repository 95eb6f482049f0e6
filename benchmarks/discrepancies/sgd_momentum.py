"""The momentum of 0.9 is forgotten."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "momentum"
LEFT = 0.9
RIGHT = 0.0
SEEN = "https://github.com/kenjyoung/MinAtar/pull/37"


def left():
    from nets import tensorflow_nets

    return tensorflow_nets.graph(lambda: tensorflow_nets.v1.train.MomentumOptimizer(0.05, 0.9))


def right(momentum=0.0):
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.05, momentum=momentum))


def mended():
    return right(momentum=0.9)
