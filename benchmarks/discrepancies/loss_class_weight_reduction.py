"""PyTorch divides a weighted cross entropy by the sum of weights, Keras by the number of rows."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "reduction"
LEFT = "mean"
RIGHT = "weighted mean"
SEEN = "https://github.com/pytorch/pytorch/issues/61309"


def left():
    from nets import keras_nets

    from samestep.frameworks.keras import Program

    return Program(keras_nets.perceptron(), fit={"class_weight": {0: 1.0, 1: 2.0, 2: 4.0}})


def right(over_rows=False):
    from nets import torch_nets
    from torch import nn, tensor

    weight = tensor([1.0, 2.0, 4.0])

    def mean_over_rows(logits, labels):
        return nn.functional.cross_entropy(logits, labels, weight, reduction="none").mean()

    return torch_nets.perceptron(loss=mean_over_rows if over_rows else nn.CrossEntropyLoss(weight))


def mended():
    return right(over_rows=True)
