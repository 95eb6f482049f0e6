"""Pixels are divided by 255 or by 256."""

DATA = "photos"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "scale"
LEFT = 0.00392156862745098
RIGHT = 0.00390625
SEEN = "https://github.com/tensorflow/tpu/issues/435"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, activation="tanh", name="conv")
    after = [layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")]
    return keras_nets.compiled([layers.Rescaling(1 / 255, name="scale"), conv, *after], (8, 8, 3))


def right(largest=256):
    from nets import torch_nets
    from torch import nn

    scale = torch_nets.Function(lambda x: x / largest)
    conv = [scale, torch_nets.channels_first(), nn.Conv2d(3, 6, 3), nn.Tanh()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))


def mended():
    return right(largest=255)
