"""Adam as BERT was trained with it, without the correction of its moments' bias."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "bias_correction"
LEFT = True
RIGHT = False
SEEN = "https://github.com/dmlc/gluon-nlp/pull/499"


def left():
    from nets import torch_nets
    from torch import optim

    return torch_nets.perceptron(lambda parameters: optim.Adam(parameters, lr=0.01, eps=1e-6))


def right(seed):
    import jax
    import optax
    from jax import numpy as jnp
    from nets import jax_nets

    def init(params):
        return optax.ScaleByAdamState(jnp.zeros([], jnp.int32), *(jax.tree.map(jnp.zeros_like, params) for _ in "mv"))

    def update(gradients, state, params=None):
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mu, gradients)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, state.nu, gradients)
        step = jax.tree.map(lambda m, v: -0.01 * m / (jnp.sqrt(v) + 1e-6), mean, square)
        return step, optax.ScaleByAdamState(state.count + 1, mean, square)

    return jax_nets.perceptron(seed, optax.GradientTransformation(init, update))


def mended(seed):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.adam(0.01, eps=1e-6))
