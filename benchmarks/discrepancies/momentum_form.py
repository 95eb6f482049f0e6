"""With a rate that changes: Keras sums gradients times their rates, PyTorch and optax rate the sum."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "momentum_form"
LEFT = "learning rate inside"
RIGHT = "learning rate outside"
SEEN = "https://github.com/jax-ml/jax/pull/1528"


def left():
    import keras
    from nets import keras_nets

    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.8)
    return keras_nets.perceptron(keras.optimizers.SGD(rate, momentum=0.9))


def right(seed, inside=False):
    import optax
    from nets import jax_nets

    rate = optax.exponential_decay(0.1, transition_steps=1, decay_rate=0.8)
    apart = optax.chain(optax.scale_by_learning_rate(rate), optax.trace(0.9))
    return jax_nets.perceptron(seed, apart if inside else optax.sgd(rate, momentum=0.9))


def mended(seed):
    return right(seed, inside=True)
