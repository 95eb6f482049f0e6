"""Huber's loss turns linear at 1 by default; the other program turns at 0.5."""

DATA = "regression"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "delta"
LEFT = 1.0
RIGHT = 0.5
SEEN = "https://github.com/ourownstory/neural_prophet/pull/1461"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(loss=keras.losses.Huber())


def right(delta=0.5):
    from nets import torch_nets
    from torch import nn

    return torch_nets.perceptron(loss=nn.HuberLoss(delta=delta))


def mended():
    return right(delta=1.0)
