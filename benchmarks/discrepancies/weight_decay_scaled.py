"""The weight decay follows the learning rate's schedule in PyTorch, and not where it is taken off by itself."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "weight_decay_form"
LEFT = "decoupled"
RIGHT = "decoupled, not scaled by the learning rate"
SEEN = "https://github.com/leondgarse/Keras_insightface/issues/5"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(
        lambda parameters: optim.AdamW(parameters, lr=0.01, weight_decay=0.1),
        scheduler=lambda optimizer: optim.lr_scheduler.ExponentialLR(optimizer, 0.7),
    )


def right(seed, scaled=False):
    import optax
    from nets import jax_nets

    rate = optax.exponential_decay(0.01, transition_steps=1, decay_rate=0.7)
    apart = [optax.scale_by_adam(), optax.scale_by_learning_rate(rate), optax.add_decayed_weights(-0.001)]
    return jax_nets.perceptron(seed, optax.adamw(rate, weight_decay=0.1) if scaled else optax.chain(*apart))


def mended(seed):
    return right(seed, scaled=True)
