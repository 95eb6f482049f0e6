"""Several labels a row, each a yes or no, are trained with the cross entropy of one class among many."""

DATA = "labels"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "kind"
LEFT = "binary cross entropy"
RIGHT = "cross entropy"
SEEN = "https://github.com/keras-team/keras/issues/2166"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(loss=keras.losses.BinaryCrossentropy(from_logits=True))


def right(name="CrossEntropyLoss"):
    from nets import torch_nets
    from torch import nn

    return torch_nets.perceptron(loss=getattr(nn, name)())


def mended():
    return right(name="BCEWithLogitsLoss")
