"""A GRU resets before the multiplication by default in Keras 2.3, and after it in TensorFlow 2 and Keras 3."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "reset_after"
LEFT = False
RIGHT = True
SEEN = "https://github.com/nntrainer/nntrainer/pull/1644"


def left():
    from nets import keras_nets
    from tf_keras import layers

    gru = layers.GRU(7, use_bias=False, reset_after=False, name="gru")
    return keras_nets.compiled([gru, layers.Dense(3, name="head")], (9, 6), library="tf_keras")


def right(**options):
    from keras import layers
    from nets import keras_nets

    gru = layers.GRU(7, use_bias=False, name="gru", **options)
    return keras_nets.compiled([gru, layers.Dense(3, name="head")], (9, 6))


def mended():
    return right(reset_after=False)
