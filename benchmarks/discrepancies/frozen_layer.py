"""A layer is frozen in one program and trained in the other."""

DATA = "vectors"
STAGE = "alignment"
COMPONENT = "mode"
SETTING = "trainable"
LEFT = False
RIGHT = True
SEEN = "https://github.com/CSCYQJ/MICCAI23-ProtoContra-SFDA/issues/18"


def left():
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, activation="tanh", trainable=False, name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, name="head")], (12,))


def right(trainable=True):
    from nets import torch_nets
    from torch import optim

    model = torch_nets.net()
    model[0].requires_grad_(trainable)
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch_nets.trained(model, lambda _: optim.SGD(trained, lr=0.1))


def mended():
    return right(trainable=False)
