"""RMSprop's decay: 0.99 by default in PyTorch, 0.9 in optax."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "rho"
LEFT = 0.99
RIGHT = 0.9
SEEN = "https://github.com/google-deepmind/optax/issues/532"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.RMSprop(parameters, lr=0.01))


def right(seed, **options):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.rmsprop(0.01, eps=1e-8, eps_in_sqrt=False, **options))


def mended(seed):
    return right(seed, decay=0.99)
