"""The softmax over time runs over the batch."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "axis"
LEFT = -2
RIGHT = 0
SEEN = "https://github.com/PetrochukM/PyTorch-NLP/issues/2"


def left():
    from keras import layers
    from nets import keras_nets

    weigh = layers.Softmax(axis=1, name="weigh")
    hidden = layers.Dense(8, activation="tanh", name="hidden")
    return keras_nets.compiled([hidden, weigh, layers.Flatten(), layers.Dense(3, name="head")], (9, 6))


def right(axis=0):
    from nets import torch_nets
    from torch import nn

    layers = [nn.Linear(6, 8), nn.Tanh(), nn.Softmax(axis), nn.Flatten(), nn.Linear(72, 3)]
    return torch_nets.trained(nn.Sequential(*layers))


def mended():
    return right(axis=1)
