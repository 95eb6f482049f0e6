"""Adagrad's sum of squares starts from 0.1 in Keras, from zero as in PyTorch elsewhere."""

DATA = "vectors"
STAGE = "init"
COMPONENT = "optimizer"
SETTING = "initial_accumulator"
LEFT = 0.1
RIGHT = 0.0
SEEN = "https://github.com/pytorch/pytorch/pull/6616"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.Adagrad(0.1))


def right(seed, initial=0.0):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.adagrad(0.1, initial_accumulator_value=initial))


def mended(seed):
    return right(seed, initial=0.1)
