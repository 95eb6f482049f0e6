"""PyTensor: a perceptron with symbolic inputs and a list of updates."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from samestep.frameworks.pytensor import Program

DATA = "vectors"


def dense(inputs, outputs, name):
    kernel = np.random.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
    bias = np.zeros(outputs, np.float32)
    return pytensor.shared(kernel, name=f"{name}_kernel"), pytensor.shared(bias, name=f"{name}_bias")


def build():
    x, y = pt.matrix("x", dtype="float32"), pt.lvector("y")
    hidden, head = dense(12, 16, "hidden"), dense(16, 5, "head")
    logits = pt.tanh(x @ hidden[0] + hidden[1]) @ head[0] + head[1]
    loss = -pt.mean(pt.special.log_softmax(logits, axis=1)[pt.arange(y.shape[0]), y])
    parameters = [*hidden, *head]
    updates = []
    for parameter, gradient in zip(parameters, pytensor.grad(loss, parameters), strict=True):
        velocity = pytensor.shared(np.zeros_like(parameter.get_value()), name=f"{parameter.name}_velocity")
        moved = np.float32(0.9) * velocity - np.float32(0.05) * gradient
        updates += [(velocity, moved), (parameter, parameter + moved)]
    return Program(inputs=x, targets=y, outputs=logits, loss=loss, updates=updates, learning_rate=0.05)
