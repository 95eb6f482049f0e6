"""Logits are taken for a yes from 0 on, or, as Keras does by default, from 0.5 on."""

DATA = "binary"
STAGE = "metrics"
COMPONENT = "metric"
SETTING = "threshold"
LEFT = 0.0
RIGHT = 0.5
SEEN = "https://github.com/tensorflow/tensorflow/issues/41413"


def left():
    from nets import torch_nets
    from torch import nn

    def accuracy(logits, targets):
        return ((logits > 0) == targets.bool()).float().mean()

    return torch_nets.perceptron(loss=nn.BCEWithLogitsLoss(), metrics={"accuracy": accuracy}, units=1)


def right(**options):
    import keras
    from nets import keras_nets

    accuracy = keras.metrics.BinaryAccuracy("accuracy", **options)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return keras_nets.perceptron(loss=loss, metrics=[accuracy], units=1)


def mended():
    return right(threshold=0.0)
