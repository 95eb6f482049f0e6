"""Adam's beta_1 of 0.5, which generative networks need, is forgotten."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "beta_1"
LEFT = 0.5
RIGHT = 0.9
SEEN = "https://github.com/tensorflow/tensorflow/issues/36340"


def left():
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.Adam(0.005, beta_1=0.5), library="tf_keras")


def right(beta_1=0.9):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.Adam(0.005, beta_1=beta_1))


def mended():
    return right(beta_1=0.5)
