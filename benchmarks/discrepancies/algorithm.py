"""Nadam is ported as Adam."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "algorithm"
LEFT = "nadam"
RIGHT = "adam"
SEEN = "https://github.com/georgeliu233/STrajNet/issues/3"


def left():
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.Nadam(0.01), library="tf_keras")


def right(name="Adam"):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(getattr(keras.optimizers, name)(0.01))


def mended():
    return right(name="Nadam")
