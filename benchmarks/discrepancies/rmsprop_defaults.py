"""RMSprop by its defaults in Keras and in PyTorch, which adds epsilon behind the root as well."""

DATA = "vectors"
STAGE = "update"
CAUSES = [
    ("optimizer", "learning_rate", 0.001, 0.01),
    ("optimizer", "rho", 0.9, 0.99),
    ("optimizer", "epsilon", 1e-7, 1e-8),
    ("optimizer", "epsilon_place", "inside root", "outside root"),
]
SEEN = "https://github.com/pytorch/pytorch/issues/23796"


def left():
    from nets import keras_nets

    return keras_nets.perceptron("rmsprop")


def right():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(optim.RMSprop)
