"""PyTorch's KLDivLoss is by default the mean over all elements, Keras's the mean over rows."""

DATA = "distributions"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "reduction"
LEFT = "sum / batch size"
RIGHT = "mean"
SEEN = "https://github.com/facebookresearch/deit/issues/61"


def left():
    from nets import keras_nets

    return keras_nets.perceptron(loss="kl_divergence", activation="softmax")


def right(reduction="mean"):
    from nets import torch_nets
    from torch import nn

    def loss(logits, targets):
        return nn.functional.kl_div(logits.log_softmax(1), targets, reduction=reduction)

    return torch_nets.perceptron(loss=loss)


def mended():
    return right(reduction="batchmean")
