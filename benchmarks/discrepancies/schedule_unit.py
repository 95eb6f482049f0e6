"""The rate decays once an epoch in one program and at every update in the other."""

DATA = "vectors"
STAGE = "schedule"
COMPONENT = "schedule"
SETTING = "unit"
LEFT = "epoch"
RIGHT = "update"
SEEN = "https://github.com/ivadomed/ivadomed/pull/55"


def left():
    import keras
    from nets import keras_nets

    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=5, decay_rate=0.5, staircase=True)
    return keras_nets.perceptron(keras.optimizers.SGD(rate))


def right(updates=1):
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(scheduler=lambda optimizer: optim.lr_scheduler.StepLR(optimizer, updates, 0.5))


def mended():
    return right(updates=5)
