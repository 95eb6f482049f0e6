"""RMS normalisation's epsilon: 1e-6 by default in Flax, 1e-5 in Llama 2."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "epsilon"
LEFT = 1e-6
RIGHT = 1e-5
SEEN = "https://github.com/meta-pytorch/torchtune/issues/290"


def left(seed):
    from flax import linen as nn
    from nets import jax_nets

    return jax_nets.trained(nn.Sequential([nn.Dense(16), nn.RMSNorm(), nn.Dense(3)]), seed, (12,))


def right(eps=1e-5):
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.RMSNorm(16, eps=eps), nn.Linear(16, 3)))


def mended():
    return right(eps=1e-6)
