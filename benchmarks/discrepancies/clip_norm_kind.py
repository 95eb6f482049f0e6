"""Keras's clipnorm clips each gradient by itself; elsewhere all of them are clipped together."""

DATA = "vectors"
STAGE = "update"
CAUSES = [("optimizer", "clip_norm", 0.2, None), ("optimizer", "global_clip_norm", None, 0.2)]
SEEN = "https://github.com/tensorflow/tensorflow/issues/29108"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.5, clipnorm=0.2))


def right(seed, each=False):
    import jax
    import optax
    from nets import jax_nets

    def clipped(gradient):
        return gradient * jax.numpy.minimum(1.0, 0.2 / jax.numpy.linalg.norm(gradient.ravel()))

    apart = optax.stateless(lambda gradients, params: jax.tree.map(clipped, gradients))
    return jax_nets.perceptron(seed, optax.chain(apart if each else optax.clip_by_global_norm(0.2), optax.sgd(0.5)))


def mended(seed):
    return right(seed, each=True)
