"""The model is left in evaluation mode after a first evaluation, so that dropout never drops."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "mode"
SETTING = "training"
LEFT = True
RIGHT = False
SEEN = "https://github.com/shubhamagarwal92/mmd/issues/14"


def left():
    from keras import layers
    from nets import keras_nets

    hidden, drop = layers.Dense(16, activation="tanh", name="hidden"), layers.Dropout(0.5, name="drop")
    return keras_nets.compiled([hidden, drop, layers.Dense(3, name="head")], (12,))


def right(training=False):
    from nets import torch_nets
    from torch import nn

    model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 3))
    model[2].train(training)
    return torch_nets.trained(model)


def mended():
    return right(training=True)
