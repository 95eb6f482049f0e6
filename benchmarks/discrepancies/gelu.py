"""GELU is exact by default in PyTorch, and approximated with tanh in JAX."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "activation"
LEFT = "gelu"
RIGHT = "gelu, tanh approximation"
SEEN = "https://github.com/jax-ml/jax/issues/4428"


def left():
    from nets import torch_nets
    from torch import nn

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16), nn.GELU(), nn.Linear(16, 3)))


def right(seed, **options):
    import jax
    from nets import jax_nets

    def apply(params, x):
        hidden = jax.nn.gelu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"], **options)
        return hidden @ params["head"]["kernel"] + params["head"]["bias"]

    return jax_nets.perceptron(seed, apply=apply)


def mended(seed):
    return right(seed, approximate=False)
