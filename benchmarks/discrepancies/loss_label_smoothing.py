"""Label smoothing is forgotten."""

DATA = "one_hot"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "label_smoothing"
LEFT = 0.1
RIGHT = 0.0
SEEN = "https://github.com/ildoonet/pytorch-randaugment/issues/30"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1))


def right(label_smoothing=0.0):
    from nets import torch_nets
    from torch import nn

    return torch_nets.perceptron(loss=nn.CrossEntropyLoss(label_smoothing=label_smoothing))


def mended():
    return right(label_smoothing=0.1)
