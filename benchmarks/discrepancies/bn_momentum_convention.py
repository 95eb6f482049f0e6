"""Keras's momentum of 0.9 is handed to PyTorch, where it is the share of the new value."""

DATA = "vectors"
STAGE = "buffers"
CAUSES = [("buffers", "momentum", 0.9, 0.1), ("buffers", "variance", "biased", "unbiased")]
SEEN = "https://github.com/ludwig-ai/ludwig/pull/2100"


def left():
    from keras import layers
    from nets import keras_nets

    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")
    return keras_nets.compiled(
        [layers.Dense(16, use_bias=False, name="hidden"), norm, layers.Dense(3, name="head")], (12,)
    )


def right():
    from nets import torch_nets
    from torch import nn

    layers = [nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16, momentum=0.9, eps=1e-5), nn.Linear(16, 3)]
    return torch_nets.trained(nn.Sequential(*layers))
