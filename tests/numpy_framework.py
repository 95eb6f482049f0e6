"""A framework small enough for tests of everything around the frameworks: a linear model and SGD in NumPy.

A program file beside it says ``from numpy_framework import Program``.
"""

import sys

import numpy as np

sys.modules["samestep.frameworks.numpy_framework"] = sys.modules[__name__]


class Program:
    """outputs = x @ kernel + bias, mean squared error, SGD. before_step is called before every training step."""

    def __init__(self, features=64, rate=0.01, kernel=None, before_step=lambda: None):
        self.kernel = np.full((features, 1), 0.01, np.float32) if kernel is None else np.asarray(kernel, np.float32)
        self.bias = np.zeros(1, np.float32)
        self.rate, self.before_step, self.steps = rate, before_step, 0


Program.__module__ = "samestep.frameworks.numpy_framework"


def load(built, x):
    return built


def describe(program):
    named = {"kernel": program.kernel, "bias": program.bias}
    return {
        "framework": "numpy",
        "versions": {},
        "optimizer": "SGD",
        "loss": "mse",
        "inputs": [{"shape": [None, len(program.kernel)], "dtype": "float32"}],
        "parameters": [{"name": n, "shape": list(v.shape), "dtype": "float32"} for n, v in named.items()],
        "buffers": [],
        "slots": [],
        "lacks": {},
    }


def state(program, values=None):
    for name, value in (values or {}).get("parameters", {}).items():
        setattr(program, name, np.array(value))
    program.steps = int((values or {}).get("counters", {}).get("step", program.steps))
    parameters = {"kernel": program.kernel.copy(), "bias": program.bias.copy()}
    return {"parameters": parameters, "buffers": {}, "slots": {}, "private": {}, "counters": {"step": program.steps}}


def forward(program, x, training):
    outputs = x @ program.kernel + program.bias
    return {"activations": {"dense": outputs}, "outputs": {"output": outputs}}


def gradients(program, x, y):
    program.before_step()
    error = x @ program.kernel + program.bias - y.reshape(-1, 1).astype(np.float32)
    slope = 2 * error / np.float32(len(x))
    return {
        "loss": np.mean(error**2),
        "gradients": {"kernel": x.T @ slope, "bias": slope.sum(axis=0)},
        "metrics": {"mae": np.mean(np.abs(error))},
    }


def update(program, gradients, x, y):
    program.kernel = program.kernel - np.float32(program.rate) * gradients["kernel"]
    program.bias = program.bias - np.float32(program.rate) * gradients["bias"]
    program.steps += 1


def train(program, x, y, batch_size, epochs, steps, watch):
    from samestep.frameworks import _loops

    def one_step(x_batch, y_batch):
        seen = gradients(program, x_batch, y_batch)
        update(program, seen["gradients"], x_batch, y_batch)
        return seen["loss"], seen["metrics"]

    return _loops.train_loop(one_step, None, x, y, batch_size, epochs, steps, watch)


def evaluate(program, x, y, batch_size):
    seen = gradients(program, x, y)
    return {"loss": float(seen["loss"]), "mae": float(seen["metrics"]["mae"])}


def batches(program, x, y, batch_size, epochs, see):
    from samestep.frameworks import _loops

    _loops.show_batches(None, x, y, batch_size, epochs, see)


def settings(program, values=None):
    program.rate = (values or {}).get("learning_rate", program.rate)
    return {"learning_rate": {"value": program.rate, "dtype": "float32"}}
