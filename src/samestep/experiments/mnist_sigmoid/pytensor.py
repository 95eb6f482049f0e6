"""mnist-sigmoid in PyTensor, as one wrote it in Theano: shared variables, a symbolic loss, a list of updates."""

import numpy as np
import pytensor.tensor as pt

from samestep.experiments.images import binarised, normalised_rows
from samestep.experiments.mnist_softmax.pytensor import LAYERS, adam, glorot_uniform, zeros
from samestep.frameworks.pytensor import Program


def prepare(x, y):
    return normalised_rows(x), binarised(y)


def build(input_shape):
    inputs, targets = pt.fmatrix("inputs"), pt.fmatrix("targets")
    sizes = input_shape + LAYERS
    kernels = [glorot_uniform(sizes[i : i + 2], "dense_{}/kernel".format(i)) for i in range(3)]
    biases = [zeros((size,), "dense_{}/bias".format(i)) for i, size in enumerate(LAYERS)]
    hidden = pt.maximum(pt.dot(inputs, kernels[0]) + biases[0], np.float32(0))
    hidden = pt.maximum(pt.dot(hidden, kernels[1]) + biases[1], np.float32(0))
    logits = pt.dot(hidden, kernels[2]) + biases[2]
    loss = (pt.softplus(logits) - targets * logits).mean()
    accuracy = pt.eq(logits > 0, targets).mean(dtype="float32")
    updates, learning_rate = adam(loss, [parameter for pair in zip(kernels, biases) for parameter in pair])
    return Program(
        inputs=inputs,
        targets=targets,
        outputs=logits,
        loss=loss,
        updates=updates,
        metrics={"accuracy": accuracy},
        learning_rate=learning_rate,
    )
