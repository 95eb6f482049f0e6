"""A padded average pooling divides by the real elements in Keras, and counts the padding in PyTorch."""

DATA = "odd_images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "count_include_pad"
LEFT = False
RIGHT = True
SEEN = "https://github.com/apache/tvm/issues/1144"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(4, 1, activation="tanh", name="conv")
    after = [layers.AveragePooling2D(3, 2, padding="same", name="pool"), layers.Flatten(), layers.Dense(3, name="head")]
    return keras_nets.compiled([conv, *after], (7, 7, 2))


def right(**options):
    from nets import torch_nets
    from torch import nn

    conv = [torch_nets.channels_first(), nn.Conv2d(2, 4, 1), nn.Tanh(), nn.AvgPool2d(3, 2, padding=1, **options)]
    channels_last = torch_nets.Permute(0, 2, 3, 1)
    return torch_nets.trained(nn.Sequential(*conv, channels_last, nn.Flatten(), nn.Linear(64, 3)))


def mended():
    return right(count_include_pad=False)
