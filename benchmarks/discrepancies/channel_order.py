"""Colours come as red, green, blue, or the other way round, as OpenCV and Caffe have them."""

DATA = "photos"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "channel_order"
LEFT = "rgb"
RIGHT = "bgr"
SEEN = "https://github.com/opencv/opencv/issues/9625"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, activation="tanh", name="conv")
    after = [layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")]
    return keras_nets.compiled([layers.Rescaling(1 / 255, name="scale"), conv, *after], (8, 8, 3))


def right(step=-1):
    from nets import torch_nets
    from torch import nn

    colours = torch_nets.Function(lambda x: (x / 255)[..., list(range(3))[::step]])
    conv = [colours, torch_nets.channels_first(), nn.Conv2d(3, 6, 3), nn.Tanh()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))


def mended():
    return right(step=1)
