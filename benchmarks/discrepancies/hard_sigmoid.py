"""The slope of hard_sigmoid: 0.2 in Keras 2, 1 / 6 in Keras 3, as in PyTorch and JAX."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "activation"
LEFT = "hard sigmoid, 0.2 x + 0.5"
RIGHT = "hard sigmoid, x / 6 + 0.5"
SEEN = "https://github.com/keras-team/keras/pull/19477"


def left():
    from nets import keras_nets
    from tf_keras import layers

    hidden = layers.Dense(16, activation="hard_sigmoid", name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, name="head")], (12,), library="tf_keras")


def right(activation="hard_sigmoid"):
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, activation=activation, name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, name="head")], (12,))


def mended():
    from keras import ops

    return right(activation=lambda x: ops.clip(0.2 * x + 0.5, 0, 1))
