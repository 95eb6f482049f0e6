"""Keras 2.3's clipnorm clips all gradients together, that of TensorFlow 2 and Keras 3 each by itself."""

DATA = "vectors"
STAGE = "update"
CAUSES = [("optimizer", "global_clip_norm", 0.2, None), ("optimizer", "clip_norm", None, 0.2)]
OLD = True  # the left program runs on Keras 2.3
SEEN = "https://github.com/tensorflow/tensorflow/issues/36001"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.5, clipnorm=0.2))


def right(name="clipnorm"):
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.SGD(0.5, **{name: 0.2}))


def mended():
    return right(name="global_clipnorm")
