"""Layers compute in bfloat16 by Keras's policy mixed_bfloat16."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "dtype"
SETTING = "compute_dtype"
LEFT = "float32"
RIGHT = "bfloat16"
SEEN = "https://github.com/huggingface/transformers/pull/12332"


def left():
    from nets import keras_nets

    return keras_nets.perceptron(library="tf_keras")


def right(dtype="mixed_bfloat16"):
    from keras import layers
    from nets import keras_nets

    hidden = layers.Dense(16, "tanh", dtype=dtype, name="hidden")
    return keras_nets.compiled([hidden, layers.Dense(3, dtype="float32", name="head")], (12,))


def mended():
    return right(dtype="float32")
