"""The causal mask is forgotten."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "mask"
LEFT = "causal"
RIGHT = None
SEEN = "https://github.com/facebookresearch/xformers/issues/103"


def left():
    from nets import torch_nets
    from torch import nn

    def attention(h):
        return nn.functional.scaled_dot_product_attention(h, h, h, is_causal=True)

    attend, mean = torch_nets.Function(attention), torch_nets.Function(lambda h: h.mean(1))
    return torch_nets.trained(nn.Sequential(nn.Linear(6, 8), attend, mean, nn.Linear(8, 3)))


def right(seed, causal=False):
    import jax
    from flax import linen as nn
    from nets import jax_nets

    def attention(h):
        heads = h[:, :, None, :]
        return jax.nn.dot_product_attention(heads, heads, heads, is_causal=causal)[:, :, 0]

    module = nn.Sequential([nn.Dense(8), attention, lambda h: h.mean(1), nn.Dense(3)])
    return jax_nets.trained(module, seed, (9, 6))


def mended(seed):
    return right(seed, causal=True)
