"""The loss of padding is left out in one program and counted in the other."""

DATA = "tags"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "ignore_index"
LEFT = 0
RIGHT = None
SEEN = "https://github.com/lukas-blecher/LaTeX-OCR/issues/305"


def left():
    from nets import torch_nets
    from torch import nn

    def loss(logits, tags):
        return nn.functional.cross_entropy(logits.transpose(1, 2), tags, ignore_index=0)

    return torch_nets.trained(nn.Sequential(nn.Embedding(20, 8), nn.Tanh(), nn.Linear(8, 5)), loss=loss)


def right(seed, ignored=None):
    import optax
    from flax import linen as nn
    from jax import numpy as jnp
    from nets import jax_nets

    def loss(logits, tags):
        kept = jnp.ones_like(logits[..., 0]) if ignored is None else (tags != ignored).astype(logits.dtype)
        return (kept * optax.softmax_cross_entropy_with_integer_labels(logits, tags)).sum() / kept.sum()

    module = nn.Sequential([nn.Embed(20, 8), jnp.tanh, nn.Dense(5)])
    return jax_nets.trained(module, seed, (10,), loss=loss, dtype=jnp.int32)


def mended(seed):
    return right(seed, ignored=0)
