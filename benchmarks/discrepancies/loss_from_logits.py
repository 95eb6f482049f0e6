"""Keras is told its loss by name, so that it takes logits for probabilities."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "from_logits"
LEFT = True
RIGHT = False
SEEN = "https://stackabuse.com/what-is-fromlogitstrue-in-keras-tensorflow-loss-functions"


def left():
    from nets import torch_nets

    return torch_nets.perceptron()


def right(loss="sparse_categorical_crossentropy"):
    from nets import keras_nets

    return keras_nets.perceptron(loss=loss)


def mended():
    return right(loss=None)
