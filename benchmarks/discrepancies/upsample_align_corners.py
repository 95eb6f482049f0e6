"""Bilinear upsampling with corners aligned, as PyTorch did by default before 0.4."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "coordinates"
LEFT = "half-pixel centers"
RIGHT = "aligned corners"
SEEN = "https://github.com/pytorch/pytorch/issues/10604"


def left():
    from keras import layers
    from nets import keras_nets

    first = layers.Conv2D(4, 3, activation="tanh", name="first")
    up = layers.UpSampling2D(2, interpolation="bilinear", name="up")
    after = [layers.Conv2D(4, 3, activation="tanh", name="second"), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([first, up, *after, layers.Dense(3, name="head")], (8, 8, 2))


def right(align_corners=True):
    from nets import torch_nets
    from torch import nn

    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)
    convs = [torch_nets.channels_first(), nn.Conv2d(2, 4, 3), nn.Tanh(), up, nn.Conv2d(4, 4, 3), nn.Tanh()]
    return torch_nets.trained(nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


def mended():
    return right(align_corners=False)
