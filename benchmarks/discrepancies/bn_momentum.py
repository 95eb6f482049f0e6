"""Batch normalisation's moving averages keep 0.99 or 0.9 of what they were."""

DATA = "images"
STAGE = "buffers"
COMPONENT = "buffers"
SETTING = "momentum"
LEFT = 0.99
RIGHT = 0.9
SEEN = "https://github.com/titu1994/Wide-Residual-Networks/issues/21"


def left():
    from keras import layers
    from nets import keras_nets

    conv = layers.Conv2D(6, 3, use_bias=False, name="conv")
    after = [layers.BatchNormalization(name="norm"), layers.ReLU(), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([conv, *after, layers.Dense(3, name="head")], (8, 8, 2))


def right(seed, momentum=0.9):
    from flax import linen as nn
    from nets import jax_nets

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, training=False):
            x = nn.Conv(6, (3, 3), padding="VALID", use_bias=False, name="conv")(x)
            x = nn.relu(nn.BatchNorm(not training, epsilon=1e-3, momentum=momentum, name="norm")(x))
            return nn.Dense(3, name="head")(x.mean((1, 2)))

    return jax_nets.trained(Net(), seed, (8, 8, 2))


def mended(seed):
    return right(seed, momentum=0.99)
