"""Layer normalisation over channels in Keras, over channels and places in PyTorch."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "axis"
LEFT = [-1]
RIGHT = [-3, -2, -1]
SEEN = "https://github.com/facebookresearch/ConvNeXt/issues/112"


def left():
    from keras import layers
    from nets import keras_nets

    norm = layers.LayerNormalization(epsilon=1e-5, center=False, scale=False, name="norm")
    conv = layers.Conv2D(6, 3, name="conv")
    after = [layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")]
    return keras_nets.compiled([conv, norm, *after], (8, 8, 2))


def right(shape=(6, 6, 6)):
    from nets import torch_nets
    from torch import nn

    norm = [torch_nets.Permute(0, 2, 3, 1), nn.LayerNorm(shape, elementwise_affine=False), nn.ReLU()]
    conv = [torch_nets.channels_first(), nn.Conv2d(2, 6, 3)]
    mean = torch_nets.Function(lambda h: h.mean((1, 2)))
    return torch_nets.trained(nn.Sequential(*conv, *norm, mean, nn.Linear(6, 3)))


def mended():
    return right(shape=(6,))
