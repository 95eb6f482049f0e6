"""The L2 penalty is on kernels in one program, and on biases too in the other."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "regularizer"
SETTING = "tensors"
LEFT = ["hidden/kernel", "head/kernel"]
RIGHT = ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]
SEEN = "https://github.com/miemie2013/miemiedetection/issues/5"


def left():
    from keras import layers, regularizers
    from nets import keras_nets

    hidden = layers.Dense(16, "tanh", kernel_regularizer=regularizers.L2(0.1), name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, kernel_regularizer=regularizers.L2(0.1), name="head")], (12,))


def right(biases=True):
    from nets import torch_nets
    from torch import nn

    model = torch_nets.net()

    def loss(logits, labels):
        penalty = sum((p**2).sum() for p in model.parameters() if biases or p.ndim > 1)
        return nn.functional.cross_entropy(logits, labels) + 0.1 * penalty

    return torch_nets.trained(model, loss=loss)


def mended():
    return right(biases=False)
