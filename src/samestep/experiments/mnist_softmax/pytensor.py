"""mnist-softmax in PyTensor, as one wrote it in Theano: shared variables, a symbolic loss, a list of updates."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from samestep.experiments.images import normalised_rows
from samestep.frameworks.pytensor import Program

LAYERS = (128, 128, 10)


def prepare(x, y):
    return normalised_rows(x), y


def build(input_shape):
    inputs, targets = pt.fmatrix("inputs"), pt.lvector("targets")
    sizes = input_shape + LAYERS
    kernels = [glorot_uniform(sizes[i : i + 2], "dense_{}/kernel".format(i)) for i in range(3)]
    biases = [zeros((size,), "dense_{}/bias".format(i)) for i, size in enumerate(LAYERS)]
    hidden = pt.maximum(pt.dot(inputs, kernels[0]) + biases[0], np.float32(0))
    hidden = pt.maximum(pt.dot(hidden, kernels[1]) + biases[1], np.float32(0))
    logits = pt.dot(hidden, kernels[2]) + biases[2]
    loss = -pt.special.log_softmax(logits, axis=-1)[pt.arange(targets.shape[0]), targets].mean()
    accuracy = pt.eq(pt.argmax(logits, axis=-1), targets).mean(dtype="float32")
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


def glorot_uniform(shape, name):
    """Glorot and Bengio 2010, from NumPy's seeded generator."""
    limit = np.sqrt(6.0 / sum(shape))
    return pytensor.shared(np.random.uniform(-limit, limit, shape).astype(np.float32), name=name)


def zeros(shape, name):
    return pytensor.shared(np.zeros(shape, np.float32), name=name)


def number(value, name):
    return pytensor.shared(np.float32(value), name=name)


def adam(loss, parameters):
    """Kingma and Ba 2014, with epsilon added to the uncorrected root, as in TensorFlow and Keras; returns (updates, rate)."""
    rate, epsilon = number(0.001, "learning_rate"), number(1e-7, "epsilon")
    beta_1, beta_2 = number(0.9, "beta_1"), number(0.999, "beta_2")
    steps = pytensor.shared(np.int64(0), name="steps")
    t = pt.cast(steps + 1, "float32")
    corrected = rate * pt.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    updates = [(steps, steps + 1)]
    for parameter, gradient in zip(parameters, pytensor.grad(loss, parameters)):
        m = zeros(parameter.get_value().shape, parameter.name + "_m")
        v = zeros(parameter.get_value().shape, parameter.name + "_v")
        new_m = beta_1 * m + (1 - beta_1) * gradient
        new_v = beta_2 * v + (1 - beta_2) * gradient**2
        updates += [(m, new_m), (v, new_v)]
        updates.append((parameter, parameter - corrected * new_m / (pt.sqrt(new_v) + epsilon)))
    return updates, rate
