"""Token 0 is a word, and PyTorch is told that it is padding, so that its row is never trained."""

DATA = "tokens"
STAGE = "gradients"
COMPONENT = "gradient"
SETTING = "padding_idx"
LEFT = None
RIGHT = 0
SEEN = "https://github.com/ibalazevic/TuckER/issues/17"


def left():
    from keras import layers
    from nets import keras_nets

    embed = layers.Embedding(20, 8, name="embed")
    return keras_nets.compiled([embed, layers.GlobalAveragePooling1D(), layers.Dense(3, name="head")], (10,))


def right(padding_idx=0):
    from nets import torch_nets
    from torch import nn

    embed, mean = nn.Embedding(20, 8, padding_idx=padding_idx), torch_nets.Function(lambda h: h.mean(1))
    return torch_nets.trained(nn.Sequential(embed, mean, nn.Linear(8, 3)))


def mended():
    return right(padding_idx=None)
