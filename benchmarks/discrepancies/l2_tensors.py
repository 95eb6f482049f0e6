"""The L2 penalty is on kernels in one program, and on biases too in the other."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "regularizer"
SETTING = "tensors"
LEFT = "kernels"
RIGHT = "all"
SEEN = "https://github.com/miemie2013/miemiedetection/issues/5"


def left():
    from keras import layers, regularizers
    from nets import keras_nets

    hidden = layers.Dense(16, "tanh", kernel_regularizer=regularizers.L2(0.1), name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, kernel_regularizer=regularizers.L2(0.1), name="head")], (12,))


def right(seed, biases=True):
    import jax
    import optax
    from jax import numpy as jnp
    from nets import jax_nets

    start = jax_nets.perceptron(seed)

    def loss(params, x, y):
        penalty = sum(jnp.sum(p**2) for p in jax.tree.leaves(params) if biases or p.ndim > 1)
        return jax_nets.cross_entropy(jax_nets.logits(params, x), y) + 0.1 * penalty

    def step(params, opt_state, x, y):
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, opt_state = optimizer.update(gradients, opt_state)
        return optax.apply_updates(params, updates), opt_state, value

    optimizer = optax.sgd(0.1)
    named = {"optimizer": optimizer, "loss": jax_nets.cross_entropy, "step": step}
    return jax_nets.Program(jax_nets.logits, start.params, **named)


def mended(seed):
    return right(seed, biases=False)
