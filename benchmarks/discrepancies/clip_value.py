"""Gradients are clipped by value in one program; in the other, clipping got lost."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "clip_value"
LEFT = 0.02
RIGHT = None
SEEN = "https://github.com/ymcui/Eval-on-NN-of-RC/issues/3"


def left():
    import tf_keras
    from nets import keras_nets

    return keras_nets.perceptron(tf_keras.optimizers.SGD(0.1, clipvalue=0.02), library="tf_keras")


def right(**options):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.1, **options))


def mended():
    return right(clipvalue=0.02)
