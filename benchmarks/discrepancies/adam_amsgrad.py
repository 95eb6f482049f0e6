"""AMSGrad is switched on in one Adam and not in the other; beta_2 is small, so that ten updates show it."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "amsgrad"
LEFT = True
RIGHT = False
SEEN = "https://github.com/google-deepmind/optax/issues/1389"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.Adam(0.05, beta_2=0.9, amsgrad=True))


def right(amsgrad=False):
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.Adam(0.05, beta_2=0.9, amsgrad=amsgrad), library="tf_keras")


def mended():
    return right(amsgrad=True)
