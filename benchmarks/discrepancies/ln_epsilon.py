"""Layer normalisation's epsilon: 1e-3 by default in Keras, 1e-5 in PyTorch."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "epsilon"
LEFT = 1e-3
RIGHT = 1e-5
SEEN = "https://github.com/keras-team/keras-hub/issues/728"


def left():
    from keras import layers
    from nets import keras_nets

    norm = layers.LayerNormalization(name="norm")
    return keras_nets.compiled([layers.Dense(16, name="hidden"), norm, layers.Dense(3, name="head")], (12,))


def right(**options):
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16, **options), nn.Linear(16, 3)))


def mended():
    return right(eps=1e-3)
