"""The slope of a leaky ReLU: 0.2 by default in TensorFlow and Keras, 0.1 in Darknet."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "negative_slope"
LEFT = 0.2
RIGHT = 0.1
SEEN = "https://github.com/jinyu121/DW2TF/issues/2"


def left():
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, activation="leaky_relu", name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, name="head")], (12,))


def right(slope=0.1):
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.LeakyReLU(slope), nn.Linear(16, 3)))


def mended():
    return right(slope=0.2)
