"""The share that is kept, as TensorFlow 1 asked for, is handed on as the share that is dropped."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "rate"
LEFT = 0.2
RIGHT = 0.8
SEEN = "https://github.com/hunkim/DeepLearningZeroToAll/issues/204"


def left():
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3)))


def right(rate=0.8):
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, activation="tanh", name="hidden")
    return keras_nets.compiled([hidden, layers.Dropout(rate, name="drop"), layers.Dense(3, name="head")], (12,))


def mended():
    return right(rate=0.2)
