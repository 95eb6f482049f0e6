"""RMSprop's mean of squares starts from one in TensorFlow 1, from zero elsewhere."""

DATA = "vectors"
STAGE = "init"
COMPONENT = "optimizer"
SETTING = "initial_accumulator"
LEFT = 1.0
RIGHT = 0.0
SEEN = "https://github.com/google-deepmind/optax/issues/49"


def left():
    from nets import tensorflow_nets

    return tensorflow_nets.graph(lambda: tensorflow_nets.v1.train.RMSPropOptimizer(0.01, 0.9, epsilon=1e-3))


def right(seed, **options):
    import optax
    from nets import jax_nets

    return jax_nets.perceptron(seed, optax.rmsprop(0.01, decay=0.9, eps=1e-3, **options))


def mended(seed):
    return right(seed, initial_scale=1.0)
