"""Gradients of two batches are accumulated before an update."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "accumulation_steps"
LEFT = 1
RIGHT = 2
SEEN = "https://github.com/shengshu-ai/minWM/issues/12"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9))


def right(seed, every=2):
    import optax
    from nets import jax_nets

    optimizer = optax.sgd(0.1, momentum=0.9)
    return jax_nets.perceptron(seed, optax.MultiSteps(optimizer, every) if every > 1 else optimizer)


def mended(seed):
    return right(seed, every=1)
