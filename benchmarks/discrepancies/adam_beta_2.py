"""Adam's beta_2 of 0.98, with which transformers are trained, is forgotten."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "beta_2"
LEFT = 0.98
RIGHT = 0.999
SEEN = "https://github.com/OpenNMT/OpenNMT-py/pull/383"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.Adam(parameters, lr=0.01, betas=(0.9, 0.98)))


def right(seed, b2=0.999):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.adam(0.01, b1=0.9, b2=b2))


def mended(seed):
    return right(seed, b2=0.98)
