"""A layer normalisation and AdamW by their defaults in PyTorch, and in Flax and optax."""

DATA = "vectors"
STAGE = "forward"
CAUSES = [("forward", "epsilon", 1e-5, 1e-6), ("optimizer", "weight_decay", 0.01, 1e-4)]
SEEN = "https://github.com/karpathy/makemore/issues/1"


def left():
    from nets import torch_nets
    from torch import nn, optim

    model = nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16), nn.Linear(16, 3))
    return torch_nets.trained(model, lambda parameters: optim.AdamW(parameters, lr=0.01))


def right(seed, epsilon=1e-6, weight_decay=1e-4):
    import optax
    from flax import linen as nn
    from nets import jax_nets

    module = nn.Sequential([nn.Dense(16), nn.LayerNorm(epsilon), nn.Dense(3)])
    return jax_nets.trained(module, seed, (12,), optax.adamw(0.01, weight_decay=weight_decay))


def mended(seed):
    return right(seed, epsilon=1e-5, weight_decay=0.01)
