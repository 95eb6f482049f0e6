"""Adadelta by its defaults in Keras and in PyTorch."""

DATA = "vectors"
STAGE = "update"
CAUSES = [
    ("optimizer", "learning_rate", 0.001, 1.0),
    ("optimizer", "rho", 0.95, 0.9),
    ("optimizer", "epsilon", 1e-7, 1e-6),
]
SEEN = "https://github.com/tensorflow/tensorflow/issues/36785"


def left():
    from nets import keras_nets

    return keras_nets.perceptron("adadelta")


def right(**options):
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.Adadelta(parameters, **options))


def mended():
    return right(lr=0.001, rho=0.95, eps=1e-7)
