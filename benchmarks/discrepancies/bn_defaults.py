"""Batch normalisation by its defaults in Keras and in PyTorch."""

DATA = "images"
STAGE = "forward"
CAUSES = [
    ("forward", "epsilon", 1e-3, 1e-5),
    ("buffers", "momentum", 0.99, 0.9),
    ("buffers", "variance", "biased", "unbiased"),
]
SEEN = "https://github.com/r9y9/tacotron_pytorch/issues/19"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, use_bias=False, name="conv")
    after = [layers.BatchNormalization(name="norm"), layers.ReLU(), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([conv, *after, layers.Dense(3, name="head")], (8, 8, 2))


def right():
    from nets import torch_nets
    from torch import nn

    conv = [torch_nets.channels_first(), nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))
