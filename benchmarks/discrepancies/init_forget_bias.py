"""The bias of an LSTM's forget gate starts from one in Keras, and from zero elsewhere."""

DATA = "sequences"
STAGE = "init"
COMPONENT = "init"
SETTING = "unit_forget_bias"
LEFT = True
RIGHT = False
OWN_INIT = True
SEEN = "https://github.com/pytorch/pytorch/issues/20102"


def left():
    from nets import keras_nets
    from tf_keras import layers

    return keras_nets.compiled([layers.LSTM(7, name="lstm"), layers.Dense(3, name="head")], (9, 6), library="tf_keras")


def right(**options):
    from keras import layers
    from nets import keras_nets

    lstm = layers.LSTM(7, unit_forget_bias=False, name="lstm")
    return keras_nets.compiled([lstm, layers.Dense(3, name="head")], (9, 6))


def mended():
    from keras import layers
    from nets import keras_nets

    return keras_nets.compiled([layers.LSTM(7, name="lstm"), layers.Dense(3, name="head")], (9, 6))
