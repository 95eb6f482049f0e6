"""PyTorch divides a weighted cross entropy by the sum of weights; the other program, as users expect, by the number of rows."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "reduction"
LEFT = "mean"
RIGHT = "mean by weight"
SEEN = "https://github.com/pytorch/pytorch/issues/61309"


def left():
    from keras import losses, ops
    from nets import keras_nets

    def weighted(labels, logits):
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        each = losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return ops.take(ops.array([1.0, 2.0, 4.0]), labels) * each

    return keras_nets.perceptron(loss=weighted)


def right(over_rows=False):
    from nets import torch_nets
    from torch import nn, tensor

    weight = tensor([1.0, 2.0, 4.0])

    def mean_over_rows(logits, labels):
        return nn.functional.cross_entropy(logits, labels, weight, reduction="none").mean()

    return torch_nets.perceptron(loss=mean_over_rows if over_rows else nn.CrossEntropyLoss(weight))


def mended():
    return right(over_rows=True)
