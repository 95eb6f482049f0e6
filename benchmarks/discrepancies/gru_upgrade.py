"""A GRU by its defaults in Keras 2.3, and in Keras 3, where it resets after the multiplication and has a second bias."""

DATA = "sequences"
STAGE = "alignment"
COMPONENT = "forward"
SETTING = "reset_after"
LEFT = False
RIGHT = True
OLD = True  # the left program runs on Keras 2.3
SEEN = "https://github.com/tensorflow/tensorflow/issues/43960"


def left():
    from keras import layers
    from nets import keras_nets

    return keras_nets.compiled([layers.GRU(7, name="gru"), layers.Dense(3, name="head")], (9, 6))


def right(**options):
    from keras import layers
    from nets import keras_nets

    return keras_nets.compiled([layers.GRU(7, name="gru", **options), layers.Dense(3, name="head")], (9, 6))


def mended():
    return right(reset_after=False)
