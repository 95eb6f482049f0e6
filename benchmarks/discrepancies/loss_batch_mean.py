"""The squared error is the mean over all elements, or their sum in each row and the mean over rows."""

DATA = "regression"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "reduction"
LEFT = "mean"
RIGHT = "sum / batch size"
SEEN = "https://github.com/zdebruine/MMVAE/pull/19"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.02), loss="mse")


def right(seed, summed=True):
    import optax
    from nets import jax_nets

    def loss(outputs, targets):
        squared = (outputs - targets) ** 2
        return squared.sum(1).mean() if summed else squared.mean()

    return jax_nets.perceptron(seed, optax.sgd(0.02), loss)


def mended(seed):
    return right(seed, summed=False)
