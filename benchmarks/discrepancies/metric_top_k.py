"""Keras's top-k accuracy takes five by default."""

DATA = "eight_classes"
STAGE = "metrics"
COMPONENT = "metric"
SETTING = "k"
LEFT = 5
RIGHT = 3
SEEN = "https://github.com/keras-team/keras/issues/8102"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(metrics=[keras.metrics.SparseTopKCategoricalAccuracy(name="top")], units=8)


def right(k=3):
    from nets import torch_nets

    def top(logits, labels):
        return (logits.topk(k, 1).indices == labels[:, None]).any(1).float().mean()

    return torch_nets.perceptron(metrics={"top": top}, units=8)


def mended():
    return right(k=5)
