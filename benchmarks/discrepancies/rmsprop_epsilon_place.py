"""RMSprop's epsilon of 0.01, as in reinforcement learning: PyTorch adds it behind the root, optax within."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "epsilon_place"
LEFT = "outside root"
RIGHT = "inside root"
SEEN = "https://github.com/pytorch/pytorch/issues/23796"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.RMSprop(parameters, lr=0.005, alpha=0.99, eps=0.01))


def right(seed, **options):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.rmsprop(0.005, decay=0.99, eps=0.01, **options))


def mended(seed):
    return right(seed, eps_in_sqrt=False)
