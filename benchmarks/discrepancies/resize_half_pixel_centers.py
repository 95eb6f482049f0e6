"""Bilinear resizing of TensorFlow 1 takes pixels by their corners, that of TensorFlow 2 by their centres."""

DATA = "images"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "coordinates"
LEFT = "half-pixel centers"
RIGHT = "asymmetric"
SEEN = "https://github.com/tensorflow/tensorflow/issues/40812"


def left():
    from keras import layers
    from nets import keras_nets

    first = layers.Conv2D(4, 3, activation="tanh", name="first")
    up = layers.Resizing(12, 12, interpolation="bilinear", name="up")
    after = [layers.Conv2D(4, 3, activation="tanh", name="second"), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([first, up, *after, layers.Dense(3, name="head")], (8, 8, 2))


def right(**options):
    import tensorflow as tf
    from nets import keras_nets
    from tf_keras import layers

    def resize(x):
        return tf.compat.v1.image.resize_bilinear(x, (12, 12), **options)

    first, up = layers.Conv2D(4, 3, activation="tanh", name="first"), layers.Lambda(resize, name="up")
    after = [layers.Conv2D(4, 3, activation="tanh", name="second"), layers.GlobalAveragePooling2D()]
    return keras_nets.compiled([first, up, *after, layers.Dense(3, name="head")], (8, 8, 2), library="tf_keras")


def mended():
    return right(half_pixel_centers=True)
