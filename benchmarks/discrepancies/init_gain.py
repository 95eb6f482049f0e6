"""PyTorch's kaiming_normal_ scales weights for a ReLU by default, which the ported initialiser did not."""

DATA = "vectors"
STAGE = "init"
COMPONENT = "init"
SETTING = "scale"
LEFT = 1.0
RIGHT = 1.41421356
OWN_INIT = True
SEEN = "https://github.com/Unity-Technologies/ml-agents/pull/4649"


def left(nonlinearity="linear"):
    from nets import torch_nets
    from torch import nn

    model = torch_nets.net()
    for layer in (model[0], model[2]):
        nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
        nn.init.zeros_(layer.bias)
    return torch_nets.trained(model)


def right():
    return left(nonlinearity="relu")


def mended():
    return left()
