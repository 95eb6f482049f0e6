"""Batch normalisation's epsilon: 1e-3 by default in Keras, 1e-5 in Flax."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "epsilon"
LEFT = 1e-3
RIGHT = 1e-5
SEEN = "https://github.com/gzuidhof/nn-transfer/pull/3"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, use_bias=False, name="conv")
    after = [layers.BatchNormalization(name="norm"), layers.ReLU(), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([conv, *after, layers.Dense(3, name="head")], (8, 8, 2))


def right(seed, **options):
    from flax import linen as nn
    from nets import jax_nets

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, training=False):
            x = nn.Conv(6, (3, 3), padding="VALID", use_bias=False, name="conv")(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not training, name="norm", **options)(x))
            return nn.Dense(3, name="head")(x.mean((1, 2)))

    return jax_nets.trained(Net(), seed, (8, 8, 2))


def mended(seed):
    return right(seed, epsilon=1e-3)
