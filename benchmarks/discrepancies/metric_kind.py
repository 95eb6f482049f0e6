"""Keras takes "accuracy" for that of one class among many, where each label is a yes or no."""

DATA = "labels"
STAGE = "metrics"
COMPONENT = "metric"
SETTING = "kind"
LEFT = "binary_accuracy"
RIGHT = "categorical_accuracy"
SEEN = "https://github.com/suraj-deshmukh/Keras-Multi-Label-Image-Classification/issues/1"


def left():
    from nets import torch_nets
    from torch import nn

    def accuracy(logits, targets):
        return ((logits > 0) == targets.bool()).float().mean()

    return torch_nets.perceptron(loss=nn.BCEWithLogitsLoss(), metrics={"accuracy": accuracy})


def right(metric="accuracy"):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=[metric])


def mended():
    import keras

    return right(metric=keras.metrics.BinaryAccuracy("accuracy", threshold=0.0))
