"""A leaky ReLU by PyTorch's default, and a loss that is summed over the batch."""

DATA = "vectors"
STAGE = "forward"
CAUSES = [("forward", "negative_slope", 0.2, 0.01), ("loss", "reduction", "mean", "sum")]
SEEN = "https://github.com/jinyu121/DW2TF/issues/2"


def left():
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, activation="leaky_relu", name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, name="head")], (12,))


def right(slope=0.01, reduction="sum"):
    from nets import torch_nets
    from torch import nn

    model = nn.Sequential(nn.Linear(12, 16), nn.LeakyReLU(slope), nn.Linear(16, 3))
    return torch_nets.trained(model, loss=nn.CrossEntropyLoss(reduction=reduction))


def mended():
    return right(slope=0.2, reduction="mean")
