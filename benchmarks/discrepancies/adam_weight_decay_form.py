"""Adam's weight_decay in PyTorch is a penalty that goes through the moments; AdamW takes it off the weights."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "weight_decay_form"
LEFT = "coupled"
RIGHT = "decoupled"
SEEN = "https://github.com/google-deepmind/optax/issues/417"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.Adam(parameters, lr=0.01, weight_decay=0.1))


def right(seed, coupled=False):
    import optax
    from nets import jax_nets

    decayed = optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.01))
    return jax_nets.perceptron(seed, decayed if coupled else optax.adamw(0.01, weight_decay=0.1))


def mended(seed):
    return right(seed, coupled=True)
