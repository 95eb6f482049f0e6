"""AdamW decays biases too in one program, and kernels only in the other."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "weight_decay_tensors"
LEFT = "all"
RIGHT = "kernels"
SEEN = "https://github.com/huggingface/transformers/issues/4360"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.AdamW(parameters, lr=0.01, weight_decay=0.1))


def right(seed, biases=False):
    import jax
    import optax
    from nets import jax_nets

    def mask(params):
        return jax.tree.map(lambda p: biases or p.ndim > 1, params)

    return jax_nets.perceptron(seed, optax.adamw(0.01, weight_decay=0.1, mask=mask))


def mended(seed):
    return right(seed, biases=True)
