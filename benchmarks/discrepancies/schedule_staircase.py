"""The rate decays in steps in one program and smoothly in the other."""

DATA = "vectors"
STAGE = "schedule"
COMPONENT = "schedule"
SETTING = "staircase"
LEFT = True
RIGHT = False
SEEN = "https://github.com/MaybeShewill-CV/lanenet-lane-detection/issues/255"


def left():
    import tf_keras
    from nets import keras_nets

    rate = tf_keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5, staircase=True)
    return keras_nets.perceptron(tf_keras.optimizers.SGD(rate), library="tf_keras")


def right(staircase=False):
    import keras
    from nets import keras_nets

    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5, staircase=staircase)
    return keras_nets.perceptron(keras.optimizers.SGD(rate))


def mended():
    return right(staircase=True)
