"""All gradients are clipped together, to a norm of 0.1 or of 0.4."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "global_clip_norm"
LEFT = 0.1
RIGHT = 0.4
SEEN = "https://github.com/lucidrains/enformer-tensorflow-sonnet-training-script/issues/1"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.5, global_clipnorm=0.1))


def right(seed, norm=0.4):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.chain(optax.clip_by_global_norm(norm), optax.sgd(0.5)))


def mended(seed):
    return right(seed, norm=0.1)
