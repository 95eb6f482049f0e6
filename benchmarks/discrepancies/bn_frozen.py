"""A frozen batch normalisation runs in inference mode in TensorFlow 2; one without gradients in PyTorch does not."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "mode"
SETTING = "training"
LEFT = False
RIGHT = True
SEEN = "https://github.com/keras-team/keras/pull/13892"


def left():
    from keras import layers
    from nets import keras_nets

    norm = layers.BatchNormalization(trainable=False, name="norm")
    return keras_nets.compiled(
        [layers.Dense(16, use_bias=False, name="hidden"), norm, layers.Dense(3, name="head")], (12,)
    )


def right(training=True):
    from nets import torch_nets
    from torch import nn, optim

    model = nn.Sequential(nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16, eps=1e-3), nn.Linear(16, 3))
    model[1].requires_grad_(False).train(training)
    return torch_nets.trained(model, lambda _: optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))


def mended():
    return right(training=False)
