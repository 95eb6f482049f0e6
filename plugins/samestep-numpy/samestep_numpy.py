"""NumPy: a linear model trained by SGD. The smallest whole adapter, as a package of its own.

A program file says ``from samestep_numpy import Program``, or returns a bare kernel, which `adopts` takes.
"""

import numpy as np

from samestep.frameworks import _loops, _roles, _rows

GAPS = {
    "generators": "nothing here is random",
    "half precision": "parameters are float32",
    "own step": "the model and its update are given; a program chooses their numbers",
    "own batches": "rows come in order",
    "schedules": "the learning rate is a constant",
}
"""What this adapter cannot observe, and why."""


class Program:
    """outputs = x @ kernel + bias, mean squared error, SGD with momentum as PyTorch has it: velocity is a sum of gradients.

    features: columns of x, together where x is several arrays by name. kernel: initial values, (features, 1).
    before_step: called before every training step.
    """

    def __init__(self, features=64, rate=0.01, kernel=None, momentum=0.0, before_step=lambda: None):
        kernel = np.full((features, 1), 0.01) if kernel is None else kernel
        self.parameters = {"kernel": np.array(kernel, np.float32), "bias": np.zeros(1, np.float32)}
        self.velocity = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.settings = {"learning_rate": rate, "momentum": momentum}
        self.before_step, self.steps = before_step, 0


def adopts(built):
    """Whether a build function that returns this is one of ours: a column of numbers is the kernel of a linear model."""
    return isinstance(built, np.ndarray) and built.ndim == 2 and built.shape[1] == 1


def load(built, x):
    """The program for what build() returned; x: example rows."""
    return Program(kernel=built) if adopts(built) else built


def describe(program):
    """Names, shapes, dtypes and layouts of all that the program holds."""
    layouts = {"kernel": "kernel: in out", "bias": "bias: out"}
    tensors = [dict(_entry(n, v), layer="dense", layout=layouts[n]) for n, v in program.parameters.items()]
    return {
        "framework": "numpy",
        "versions": {},
        "optimizer": "SGD",
        "loss": "mse",
        "inputs": [{"shape": [None, len(program.parameters["kernel"])], "dtype": "float32"}],
        "parameters": tensors,
        "buffers": [],
        "slots": [_entry(key, value) for key, value in _slots(program).items()],
        "generators": [],
        "lacks": {},
    }


def state(program, values=None):
    """Write the given values, then return all that a step reads and writes, as copies."""
    values = values or {}
    program.parameters.update({name: np.array(value) for name, value in values.get("parameters", {}).items()})
    for key, value in values.get("slots", {}).items():
        program.velocity[key.split("|")[1]] = np.array(value)
    program.steps = int(values.get("counters", {}).get("step", program.steps))
    return {
        "parameters": {name: value.copy() for name, value in program.parameters.items()},
        "buffers": {},
        "slots": {key: value.copy() for key, value in _slots(program).items()},
        "counters": {"step": np.array(program.steps)},
        "generators": {},
        "private": {},
    }


def forward(program, x, training):
    """Outputs of the model's one layer, which are those of the model; both modes are the same."""
    outputs = _outputs(program, x)
    return {"activations": {"dense": outputs}, "outputs": {"output": outputs}}


def gradients(program, x, y):
    """Loss, gradients and metrics of one training step, without its update."""
    program.before_step()
    error = _error(program, x, y)
    slope = 2 * error / np.float32(len(error))
    return {
        "loss": np.mean(error**2),
        "gradients": {"kernel": _columns(x).T @ slope, "bias": slope.sum(axis=0)},
        "metrics": {"mae": np.mean(np.abs(error))},
    }


def update(program, gradients, x, y):
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    rate, momentum = (np.float32(program.settings[name]) for name in ("learning_rate", "momentum"))
    for name, gradient in gradients.items():
        program.velocity[name] = momentum * program.velocity[name] + gradient
        program.parameters[name] = program.parameters[name] - rate * program.velocity[name]
    program.steps += 1


def train(program, x, y, batch_size, epochs, steps, watch):
    """Train; returns running_loss, float64 (steps,), and the means of each epoch."""

    def one_step(x_batch, y_batch):
        seen = gradients(program, x_batch, y_batch)
        update(program, seen["gradients"], x_batch, y_batch)
        return seen["loss"], seen["metrics"]

    return _loops.train_loop(one_step, None, x, y, batch_size, epochs, steps, watch)


def evaluate(program, x, y, batch_size):
    """Means over rows of loss and metrics."""

    def one_batch(x_batch, y_batch):
        error = _error(program, x_batch, y_batch)
        return np.mean(error**2), {"mae": np.mean(np.abs(error))}

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(program, x, y, batch_size, epochs, see):
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(None, x, y, batch_size, epochs, see)


def settings(program, values=None):
    """Give the optimizer's settings other values, then return them all with their precision."""
    program.settings.update(values or {})
    return {name: {"value": value, "dtype": "float32"} for name, value in program.settings.items()}


def _columns(x):
    """The rows of x as one array (N, features): several inputs side by side, in the order of their names."""
    arrays = [x[name] for name in sorted(x)] if isinstance(x, dict) else [x]
    return np.concatenate([array.reshape(_rows.count(x), -1) for array in arrays], axis=1)


def _outputs(program, x):
    return _columns(x) @ program.parameters["kernel"] + program.parameters["bias"]


def _error(program, x, y):
    return _outputs(program, x) - y.reshape(-1, 1).astype(np.float32)


def _slots(program):
    return {_roles.slot_key("momentum", name): value for name, value in program.velocity.items()}


def _entry(name, value):
    return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
