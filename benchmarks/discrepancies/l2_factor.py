"""Keras's L2 penalty has no factor of one half."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "regularizer"
SETTING = "l2"
LEFT = 0.01
RIGHT = 0.005
SEEN = "https://github.com/mlcommons/hpc/issues/22"


def left():
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, "tanh", kernel_regularizer="l2", name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, kernel_regularizer="l2", name="head")], (12,))


def right(factor=0.5):
    from nets import torch_nets
    from torch import nn

    model = torch_nets.net()

    def loss(logits, labels):
        penalty = sum((p**2).sum() for name, p in model.named_parameters() if name.endswith("weight"))
        return nn.functional.cross_entropy(logits, labels) + 0.01 * factor * penalty

    return torch_nets.trained(model, loss=loss)


def mended():
    return right(factor=1)
