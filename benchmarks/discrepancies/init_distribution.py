"""Weights are drawn by Glorot's uniform distribution, or by his normal one."""

DATA = "vectors"
STAGE = "init"
COMPONENT = "init"
SETTING = "distribution"
LEFT = "uniform"
RIGHT = "normal"
OWN_INIT = True
SEEN = "https://github.com/dmlc/minpy/issues/158"


def left():
    from keras import layers
    from nets import keras_nets

    return keras_nets.compiled([layers.Dense(256, "tanh", name="hidden"), layers.Dense(3, name="head")], (12,))


def right(name="xavier_normal_"):
    from nets import torch_nets
    from torch import nn

    model = nn.Sequential(nn.Linear(12, 256), nn.Tanh(), nn.Linear(256, 3))
    for layer in (model[0], model[2]):
        getattr(nn.init, name)(layer.weight)
        nn.init.zeros_(layer.bias)
    return torch_nets.trained(model)


def mended():
    return right(name="xavier_uniform_")
