"""The decay argument of Keras's old optimizers is left away, since the new ones have none."""

DATA = "vectors"
STAGE = "schedule"
COMPONENT = "schedule"
SETTING = "decay_rate"
LEFT = 0.1
RIGHT = 0.0
SEEN = "https://github.com/sgrubas/NES/pull/2"


def left():
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.legacy.SGD(0.1, decay=0.1), library="tf_keras")


def right(decay=0.0):
    import keras
    from nets import keras_nets

    rate = keras.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=1, decay_rate=decay) if decay else 0.1
    return keras_nets.perceptron(keras.optimizers.SGD(rate))


def mended():
    return right(decay=0.1)
