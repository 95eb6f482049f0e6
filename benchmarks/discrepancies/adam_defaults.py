"""Adam by its defaults in Keras and in PyTorch."""

DATA = "vectors"
STAGE = "update"
CAUSES = [
    ("optimizer", "epsilon", 1e-7, 1e-8),
    ("optimizer", "epsilon_place", "before bias correction", "after bias correction"),
]
SEEN = "https://iifx.dev/en/articles/430606741"


def left():
    from nets import keras_nets

    return keras_nets.perceptron("adam")


def right():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(optim.Adam)
