"""optax.l2_loss is half of the squared error."""

DATA = "regression"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "scale"
LEFT = 1.0
RIGHT = 0.5
SEEN = "https://github.com/davisking/dlib/issues/1169"


def left():
    from nets import torch_nets
    from torch import nn, optim

    return torch_nets.perceptron(lambda parameters: optim.SGD(parameters, lr=0.02), nn.MSELoss())


def right(seed, name="l2_loss"):
    import optax
    from nets import jax_nets

    def loss(outputs, targets):
        return getattr(optax, name)(outputs, targets).mean()

    return jax_nets.perceptron(seed, optax.sgd(0.02), loss)


def mended(seed):
    return right(seed, name="squared_error")
