"""Adam's epsilon of 1e-7 is handed from Keras to PyTorch, which adds it after the bias correction."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "epsilon_place"
LEFT = "before bias correction"
RIGHT = "after bias correction"
SEEN = "https://github.com/keras-team/keras/issues/17391"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.Adam(0.01, epsilon=1e-7))


def right():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.Adam(parameters, lr=0.01, eps=1e-7))
