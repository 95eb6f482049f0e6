"""Pooling leaves a last odd row away, or with ceil_mode, as Caffe had it, pools it by itself."""

DATA = "odd_images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "ceil_mode"
LEFT = False
RIGHT = True
SEEN = "https://github.com/torch/nn/issues/116"


def left():
    from keras import layers
    from nets import keras_nets

    conv, pool = layers.Conv2D(4, 1, activation="tanh", name="conv"), layers.MaxPooling2D(2, name="pool")
    return keras_nets.compiled([conv, pool, layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")], (7, 7, 2))


def right(ceil_mode=True):
    from nets import torch_nets
    from torch import nn

    conv = [torch_nets.channels_first(), nn.Conv2d(2, 4, 1), nn.Tanh(), nn.MaxPool2d(2, ceil_mode=ceil_mode)]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


def mended():
    return right(ceil_mode=False)
