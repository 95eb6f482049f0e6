"""Precision over all rows, or, as Keras 1 had it, the mean of each batch's."""

DATA = "binary"
STAGE = "metrics"
COMPONENT = "metric"
SETTING = "averaging"
LEFT = "samples"
RIGHT = "batches"
SEEN = "https://github.com/keras-team/keras/issues/5794"


def left():
    import keras
    from nets import keras_nets

    precision = keras.metrics.Precision(0.5, name="precision")
    return keras_nets.perceptron(loss="binary_crossentropy", metrics=[precision], units=1, activation="sigmoid")


def right(by_batches=True):
    from keras import metrics, ops
    from nets import keras_nets

    def precision(targets, outputs):
        said = ops.cast(outputs > 0.5, "float32")
        return ops.sum(said * targets) / (ops.sum(said) + 1e-7)

    metric = precision if by_batches else metrics.Precision(0.5, name="precision")
    return keras_nets.perceptron(loss="binary_crossentropy", metrics=[metric], units=1, activation="sigmoid")


def mended():
    return right(by_batches=False)
