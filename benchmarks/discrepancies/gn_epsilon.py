"""Group normalisation's epsilon: 1e-6 by default in Flax, as in TensorFlow 1, 1e-5 in PyTorch."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "epsilon"
LEFT = 1e-6
RIGHT = 1e-5
SEEN = "https://github.com/MegEngine/MegDiffusion/issues/5"


def left(seed):
    from flax import linen as nn
    from nets import jax_nets

    conv = [nn.Conv(8, (3, 3), padding="VALID"), nn.GroupNorm(4), nn.relu]
    return jax_nets.trained(nn.Sequential([*conv, lambda h: h.mean((1, 2)), nn.Dense(3)]), seed, (8, 8, 2))


def right(**options):
    from nets import torch_nets
    from torch import nn

    conv = [torch_nets.channels_first(), nn.Conv2d(2, 8, 3), nn.GroupNorm(4, 8, **options), nn.ReLU()]
    return torch_nets.trained(nn.Sequential(*conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)))


def mended():
    return right(eps=1e-6)
