"""Layer normalisation's epsilon: 1e-5 by default in PyTorch, 1e-6 in Flax."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "epsilon"
LEFT = 1e-5
RIGHT = 1e-6
SEEN = "https://github.com/karpathy/makemore/issues/1"


def left():
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16), nn.Linear(16, 3)))


def right(seed, **options):
    from flax import linen as nn
    from nets import jax_nets

    return jax_nets.trained(nn.Sequential([nn.Dense(16), nn.LayerNorm(**options), nn.Dense(3)]), seed, (12,))


def mended(seed):
    return right(seed, epsilon=1e-5)
