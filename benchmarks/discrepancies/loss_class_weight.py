"""Classes are weighted in one program and not in the other."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "class_weight"
LEFT = {0: 1.0, 1: 2.0, 2: 4.0}
RIGHT = None
SEEN = "https://github.com/MeioJane/CHR/issues/2"


def left():
    from nets import torch_nets
    from torch import nn, tensor

    return torch_nets.perceptron(loss=nn.CrossEntropyLoss(weight=tensor([1.0, 2.0, 4.0])))


def right(seed, weights=(1.0, 1.0, 1.0)):
    import optax
    from jax import numpy as jnp
    from nets import jax_nets

    def loss(logits, labels):
        weight = jnp.array(weights)[labels]
        return (weight * optax.softmax_cross_entropy_with_integer_labels(logits, labels)).sum() / weight.sum()

    return jax_nets.perceptron(seed, loss=loss)


def mended(seed):
    return right(seed, weights=(1.0, 2.0, 4.0))
