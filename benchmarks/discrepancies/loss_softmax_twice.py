"""The softmax is kept in front of PyTorch's cross entropy, which has one of its own."""

DATA = "vectors"
STAGE = "loss"
COMPONENT = "loss"
SETTING = "from_logits"
LEFT = False
RIGHT = True
SEEN = "https://github.com/jindongwang/Deep-learning-activity-recognition/issues/10"


def left():
    from nets import keras_nets

    return keras_nets.perceptron(loss="sparse_categorical_crossentropy", activation="softmax")


def right(of_probabilities=False):
    from nets import torch_nets
    from torch import nn

    def likelihood(probabilities, labels):
        return nn.functional.nll_loss(probabilities.log(), labels)

    loss = likelihood if of_probabilities else nn.CrossEntropyLoss()
    return torch_nets.trained(torch_nets.net(3, nn.Softmax(1)), loss=loss)


def mended():
    return right(of_probabilities=True)
