"""The optimizers of Keras 2.11 ignore the argument lr, which earlier ones took for the learning rate."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "learning_rate"
LEFT = 0.1
RIGHT = 0.01
SEEN = "https://github.com/keras-team/tf-keras/issues/331"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(learning_rate=0.1))


def right(name="lr"):
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.SGD(**{name: 0.1}), library="tf_keras")


def mended():
    return right(name="learning_rate")
