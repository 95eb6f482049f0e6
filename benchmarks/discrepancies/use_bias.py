"""A layer has a bias in one program and none in the other."""

DATA = "vectors"
STAGE = "alignment"
COMPONENT = "forward"
SETTING = "use_bias"
LEFT = True
RIGHT = False
SEEN = "https://github.com/davek44/Basset/issues/45"


def left():
    from nets import keras_nets

    return keras_nets.perceptron()


def right(bias=False):
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16, bias=bias), nn.Tanh(), nn.Linear(16, 3)))


def mended():
    return right(bias=True)
