"""Sequences are padded behind, or in front, as Keras's pad_sequences does by default."""

DATA = "padded_tokens"
STAGE = "data"
COMPONENT = "data"
SETTING = "padding"
LEFT = "post"
RIGHT = "pre"
SEEN = "https://github.com/pytorch/pytorch/issues/10536"


def left():
    from nets import torch_nets
    from torch import nn

    mean = torch_nets.Function(lambda h: h.tanh().flatten(1))
    return torch_nets.trained(nn.Sequential(nn.Embedding(20, 4), mean, nn.Linear(40, 3)))


def right(padding="pre"):
    import keras
    from keras import layers
    from nets import keras_nets

    from samestep.frameworks.keras import Program

    def batches(x, y, batch_size, epoch):
        sequences = [row[row > 0] for row in x]
        padded = keras.utils.pad_sequences(sequences, 10, "int64", padding)
        for start in range(0, len(x), batch_size):
            yield padded[start : start + batch_size], y[start : start + batch_size]

    after = [layers.Activation("tanh"), layers.Flatten(), layers.Dense(3, name="head")]
    return Program(keras_nets.compiled([layers.Embedding(20, 4, name="embed"), *after], (10,)), batches=batches)


def mended():
    return right(padding="post")
