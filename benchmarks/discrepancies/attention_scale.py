"""Keras's dot-product attention does not divide by the root of the size, PyTorch's does."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "scale"
LEFT = 1.0
RIGHT = 0.35355339
SEEN = "https://github.com/tensorflow/tensorflow/issues/45268"


def left():
    from keras import layers
    from nets import keras_nets

    attention = layers.Attention(name="attention")
    after = [lambda h: attention([h, h]), layers.GlobalAveragePooling1D(), layers.Dense(3, name="head")]
    return keras_nets.compiled([layers.Dense(8, name="embed"), *after], (9, 6))


def right(scale=None):
    from nets import torch_nets
    from torch import nn

    def attention(h):
        return nn.functional.scaled_dot_product_attention(h, h, h, scale=scale)

    attend, mean = torch_nets.Function(attention), torch_nets.Function(lambda h: h.mean(1))
    return torch_nets.trained(nn.Sequential(nn.Linear(6, 8), attend, mean, nn.Linear(8, 3)))


def mended():
    return right(scale=1.0)
