"""sequence in PyTensor, as one wrote it in Theano: shared variables, a symbolic loss, a list of updates."""

import pytensor.tensor as pt

from samestep.experiments.mnist_softmax.pytensor import adam, glorot_uniform, zeros
from samestep.frameworks.pytensor import Program


def build(input_shape):
    inputs, targets = pt.fmatrix("inputs"), pt.fmatrix("targets")
    kernels = [glorot_uniform((input_shape[0], 10), "dense/kernel"), glorot_uniform((10, 1), "dense_1/kernel")]
    biases = [zeros((10,), "dense/bias"), zeros((1,), "dense_1/bias")]
    outputs = pt.dot(pt.dot(inputs, kernels[0]) + biases[0], kernels[1]) + biases[1]
    loss = pt.sqr(outputs - targets).mean()
    updates, learning_rate = adam(loss, [parameter for pair in zip(kernels, biases) for parameter in pair])
    return Program(
        inputs=inputs, targets=targets, outputs=outputs, loss=loss, updates=updates, learning_rate=learning_rate
    )
