"""Nesterov's momentum is forgotten."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "nesterov"
LEFT = True
RIGHT = False
SEEN = "https://github.com/iboing/CliqueNet/issues/9"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True))


def right(nesterov=False):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=nesterov))


def mended():
    return right(nesterov=True)
