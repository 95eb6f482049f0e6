"""The arguments of the Kullback-Leibler divergence are swapped."""

DATA = "distributions"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "kind"
LEFT = "KL divergence"
RIGHT = "KL divergence of outputs from targets"
SEEN = "https://github.com/pytorch/pytorch/issues/57459"


def left():
    from nets import torch_nets
    from torch import nn

    def loss(logits, targets):
        return nn.functional.kl_div(logits.log_softmax(1), targets, reduction="batchmean")

    return torch_nets.perceptron(loss=loss)


def right(seed, swapped=True):
    import jax
    import optax
    from jax import numpy as jnp
    from nets import jax_nets

    def loss(logits, targets):
        if swapped:
            return optax.kl_divergence(jnp.log(targets), jax.nn.softmax(logits)).mean()
        return optax.kl_divergence(jax.nn.log_softmax(logits), targets).mean()

    return jax_nets.perceptron(seed, loss=loss)


def mended(seed):
    return right(seed, swapped=False)
