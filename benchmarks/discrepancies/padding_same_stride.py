"""Padding "same" with stride 2 pads even sizes behind only; padding=1 pads both ends."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "padding"
LEFT = "same"
RIGHT = "1"
SEEN = "https://github.com/keras-team/keras/pull/16363"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, strides=2, padding="same", activation="tanh", name="conv")
    return keras_nets.compiled([conv, layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")], (8, 8, 2))


def right(before=1):
    from nets import torch_nets
    from torch import nn

    conv = [torch_nets.channels_first(), nn.ZeroPad2d((before, 1, before, 1)), nn.Conv2d(2, 6, 3, stride=2), nn.Tanh()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))


def mended():
    return right(before=0)
