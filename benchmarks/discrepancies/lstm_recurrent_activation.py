"""An LSTM's gates are hard_sigmoid by default in Keras 2.2, and sigmoid in TensorFlow 2 and Keras 3."""

DATA = "sequences"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "recurrent_activation"
LEFT = "hard sigmoid, 0.2 x + 0.5"
RIGHT = "sigmoid"
SEEN = "https://github.com/tensorflow/tensorflow/issues/47495"


def left():
    from nets import keras_nets
    from tf_keras import layers

    lstm = layers.LSTM(7, recurrent_activation="hard_sigmoid", name="lstm")
    return keras_nets.compiled([lstm, layers.Dense(3, name="head")], (9, 6), library="tf_keras")


def right(**options):
    from keras import layers
    from nets import keras_nets

    lstm = layers.LSTM(7, name="lstm", **options)
    return keras_nets.compiled([lstm, layers.Dense(3, name="head")], (9, 6))


def mended():
    from keras import ops

    return right(recurrent_activation=lambda x: ops.clip(0.2 * x + 0.5, 0, 1))
