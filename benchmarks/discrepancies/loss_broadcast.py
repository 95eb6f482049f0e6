"""A squeezed output (N,) is compared with targets (N, 1), so that each row meets every other row's target."""

DATA = "binary"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "broadcast"
LEFT = False
RIGHT = True
SEEN = "https://github.com/deepset-ai/FARM/issues/229"


def left():
    from nets import keras_nets

    return keras_nets.perceptron(loss="mse", units=1)


def right(squeezed=True):
    from nets import torch_nets
    from torch import nn

    def loss(outputs, targets):
        return nn.functional.mse_loss(outputs.squeeze() if squeezed else outputs, targets)

    return torch_nets.perceptron(loss=loss, units=1)


def mended():
    return right(squeezed=False)
