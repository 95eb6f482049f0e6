"""Batch normalisation stays in inference mode while the rest trains."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "mode"
SETTING = "training"
LEFT = True
RIGHT = False
SEEN = "https://github.com/dmzou/RSRAE/issues/2"


def left():
    from nets import torch_nets
    from torch import nn

    layers = [nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16), nn.Linear(16, 3)]
    return torch_nets.trained(nn.Sequential(*layers))


def right(training=False):
    from nets import torch_nets
    from torch import nn

    model = nn.Sequential(nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16), nn.Linear(16, 3))
    model[1].train(training)
    return torch_nets.trained(model)


def mended():
    return right(training=True)
