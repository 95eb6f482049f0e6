"""AdamW's weight decay: 0.01 by default in PyTorch, none in a configuration that wraps it."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "weight_decay"
LEFT = 0.01
RIGHT = 0.0
SEEN = "https://github.com/finegrain-ai/refiners/pull/320"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.AdamW(parameters, lr=0.01))


def right(seed, weight_decay=0.0):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.adamw(0.01, weight_decay=weight_decay))


def mended(seed):
    return right(seed, weight_decay=0.01)
