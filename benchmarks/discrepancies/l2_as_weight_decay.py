"""Keras's L2 penalty in the loss becomes PyTorch's weight_decay of the same number, on biases too."""

DATA = "vectors"
STAGE = "loss"
CAUSES = [("regularizer", "l2", 0.01, 0.0), ("optimizer", "weight_decay", 0.0, 0.01)]
SEEN = "https://github.com/pytorch/examples/issues/1075"


def left():
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, "tanh", kernel_regularizer="l2", name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, kernel_regularizer="l2", name="head")], (12,))


def right():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.1, weight_decay=0.01))
