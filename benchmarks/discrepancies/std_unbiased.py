"""A normalisation by hand: torch.std divides by n - 1, jnp.std by n."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "variance"
LEFT = "unbiased"
RIGHT = "biased"
SEEN = "https://github.com/tensorflow/tensorflow/issues/43324"


def left():
    from nets import torch_nets
    from torch import nn

    norm = torch_nets.Function(lambda h: (h - h.mean(1, keepdim=True)) / (h.std(1, keepdim=True) + 1e-6))
    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), norm, nn.Linear(16, 3)))


def right(seed, ddof=0):
    from nets import jax_nets

    def apply(params, x):
        h = x @ params["hidden"]["kernel"] + params["hidden"]["bias"]
        h = (h - h.mean(1, keepdims=True)) / (h.std(1, keepdims=True, ddof=ddof) + 1e-6)
        return h @ params["head"]["kernel"] + params["head"]["bias"]

    return jax_nets.perceptron(seed, apply=apply)


def mended(seed):
    return right(seed, ddof=1)
