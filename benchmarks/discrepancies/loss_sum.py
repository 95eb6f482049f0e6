"""The loss is the mean over a batch or the sum."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "reduction"
LEFT = "mean"
RIGHT = "sum"
SEEN = "https://github.com/rail-berkeley/rlkit/issues/119"


def left():
    from nets import keras_nets

    return keras_nets.perceptron()


def right(reduction="sum"):
    from nets import torch_nets
    from torch import nn

    return torch_nets.perceptron(loss=nn.CrossEntropyLoss(reduction=reduction))


def mended():
    return right(reduction="mean")
