"""RMSprop is centered in one program and not in the other."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "centered"
LEFT = True
RIGHT = False
SEEN = "https://github.com/google/flax/pull/662"


def left():
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.RMSprop(0.01, centered=True, epsilon=1e-3), library="tf_keras")


def right(centered=False):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.RMSprop(0.01, centered=centered, epsilon=1e-3))


def mended():
    return right(centered=True)
