"""Time and features are swapped by view() where permute() is meant, which scrambles them."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "layout"
LEFT = "transposed"
RIGHT = "reshaped"
SEEN = "https://github.com/vitrioil/Speech-Separation/issues/4"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv1D(8, 3, activation="tanh", name="conv")
    return keras_nets.compiled([conv, layers.GlobalAveragePooling1D(), layers.Dense(3, name="head")], (9, 6))


def right(viewed=True):
    from nets import torch_nets
    from torch import nn

    view = torch_nets.Function(lambda x: x.reshape(-1, 6, 9))
    swap = view if viewed else torch_nets.Permute(0, 2, 1)
    conv = [swap, nn.Conv1d(6, 8, 3), nn.Tanh()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 3)))


def mended():
    return right(viewed=False)
