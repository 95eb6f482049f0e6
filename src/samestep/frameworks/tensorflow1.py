"""Base TensorFlow in graph style: placeholders, a loss, a train op and a session.

Serves tf.compat.v1 in TensorFlow 2 and TensorFlow 1.15 itself. Nothing is added to the author's graph.
The optimizer's update operations (tensorflow/core/ops/training_ops.cc: ResourceApplyAdam and its
kin) name their slots, settings and gradient as inputs; a session can fetch each of them, and feed another value in its place.
"""

import math

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _loops, _tensorflow_graph
from samestep.frameworks._roles import role, slot_key

GAPS = {
    "generators": "states of random operations live in the session's kernels and can be neither read nor written",
    "raw gradients": "a train op that clips gradients shows them as clipped",
    "sparse updates": "gradients of embeddings applied as rows (IndexedSlices) are not observed",
}
"""What this adapter cannot observe, and why."""

SETTINGS = {"lr": "learning_rate", "alpha": "learning_rate", "beta1": "beta_1", "beta2": "beta_2"}
"""Names of update operations' scalar inputs, as Keras calls them; others keep their name."""

BETA_POWERS = ("beta1_power", "beta2_power")


class Program:
    """A graph and the tensors of it that make a training program.

    inputs, targets: placeholders with a free first dimension. outputs, loss: tensors; loss is a scalar.
    train_op: the operation that minimize() returned. metrics: {name: tensor}, values of one batch.
    training: a bool placeholder, if the graph has one. session: with initialised variables; a new one
    if not given. batches(x, y, batch_size, epoch): an input pipeline of the program's own.
    """

    def __init__(
        self, *, inputs, targets, outputs, loss, train_op, metrics=None, training=None, session=None, batches=None
    ):
        self.inputs, self.targets, self.outputs, self.loss = inputs, targets, outputs, loss
        self.train_op, self.metrics, self.training = train_op, dict(metrics or {}), training
        self.session, self.batches = session, batches
        self.replaced = {}


def load(built, x):
    """The program for what build() returned, with a session; x: an example batch (not needed here)."""
    program = built
    program.graph = program.inputs.graph
    if program.session is None:
        program.session = tf.compat.v1.Session(graph=program.graph)
        with program.graph.as_default():
            program.session.run(tf.compat.v1.global_variables_initializer())
    train_op = program.train_op
    program.applied = _tensorflow_graph.apply_operations(getattr(train_op, "op", train_op))
    if not program.applied:
        raise ProgramError(
            "train_op {!r} leads to no update of a variable.\nPass what optimizer.minimize(loss) returned.".format(
                getattr(train_op, "name", train_op)
            )
        )
    program.named = {variable.op.name: variable for variable in _all_variables(program)}
    return program


def describe(program):
    """Names, shapes and dtypes of all that the program holds."""
    return {
        "framework": "tensorflow1",
        "versions": {"tensorflow": tf.__version__},
        "optimizer": program.applied[0]["kind"].replace("Apply", ""),
        "loss": program.loss.op.name,
        "inputs": [{"shape": _shape(program.inputs), "dtype": program.inputs.dtype.name}],
        "parameters": [_entry(name, v) for name, v in _parameters(program).items()],
        "buffers": [_entry(name, v) for name, v in _buffers(program).items()],
        "slots": [_entry(key, v) for key, v in _slots(program).items()],
        "lacks": {},
    }


def state(program, values=None):
    """Write the given values, then return all that a step reads and writes, as arrays.

    Groups: parameters, buffers, slots (by role), counters (``step``: updates done) and private, which
    only this program can read back: Adam's powers of beta, as the graph keeps them.
    """
    groups = {
        "parameters": _parameters(program),
        "buffers": _buffers(program),
        "slots": _slots(program),
        "private": _private(program),
    }
    values = dict(values or {})
    if "counters" in values:
        values["private"] = dict(_private_at(program, int(values.pop("counters")["step"])), **values.get("private", {}))
    _write(program, [(groups[g][name], value) for g, entries in values.items() for name, value in entries.items()])
    read = program.session.run(groups)
    return dict(read, counters={"step": np.array(_step(program, read["private"]), np.int64)})


def forward(program, x, training):
    """The float tensors between input and outputs, in the order of the graph, and the outputs."""
    fetched = {
        "activations": _tensorflow_graph.activations(program.graph, program.inputs, [program.outputs]),
        "outputs": {"output": program.outputs},
    }
    return program.session.run(fetched, _feeds(program, x, None, training))


def gradients(program, x, y):
    """Loss, gradients and metrics of one training step, without its update."""
    fetched = {
        "loss": program.loss,
        "gradients": {_owner(program, a["var"]): _gradient(a) for a in program.applied},
        "metrics": program.metrics,
    }
    found = program.session.run(fetched, _feeds(program, x, y, True))
    order = {name: i for i, name in enumerate(_parameters(program))}
    found["gradients"] = dict(sorted(found["gradients"].items(), key=lambda item: order[item[0]]))
    return found


def update(program, gradients, x, y):
    """Run the train op with these gradients in the place of its own; x and y are the batch they belong to."""
    feeds = _feeds(program, x, y, True)
    feeds.update((_gradient(a).name, gradients[_owner(program, a["var"])]) for a in program.applied)
    program.session.run(program.train_op, feeds)


def train(program, x, y, batch_size, epochs, steps, watch):
    """Train by the train op; returns running_loss, float64 (steps,), and the means of each epoch."""
    fetched = [program.train_op, program.loss, program.metrics]

    def one_step(x_batch, y_batch):
        _, loss, metrics = program.session.run(fetched, _feeds(program, x_batch, y_batch, True))
        return loss, metrics

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program, x, y, batch_size):
    """Means over rows of loss and metrics."""
    fetched = [program.loss, program.metrics]

    def one_batch(x_batch, y_batch):
        return program.session.run(fetched, _feeds(program, x_batch, y_batch, False))

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(program, x, y, batch_size, epochs, see):
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program, values=None):
    """Give the optimizer's settings other values, then return them all with their precision."""
    tensors = _settings(program)
    for name, value in (values or {}).items():
        program.replaced[tensors[name].name] = value
    read = program.session.run(tensors, program.replaced)
    return {n: {"value": float(v), "dtype": tensors[n].dtype.base_dtype.name} for n, v in sorted(read.items())}


def _shape(tensor):
    return [None if size is None else int(size) for size in tensor.shape.as_list()]


def _entry(name, variable):
    return {"name": name, "shape": _shape(variable), "dtype": variable.dtype.base_dtype.name}


def _all_variables(program):
    return program.graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)


def _owner(program, handle):
    """The name of the variable that an update operation's input stands for."""
    return handle.op.name if handle.op.name in program.named else handle.op.inputs[0].op.name


def _gradient(arguments):
    if "indices" in arguments:
        raise ProgramError(GAPS["sparse updates"])
    return arguments["grad"] if "grad" in arguments else arguments["delta"]


def _parameters(program):
    updated = {_owner(program, arguments["var"]) for arguments in program.applied}
    return {name: variable for name, variable in program.named.items() if name in updated}


def _slots(program):
    found = {}
    for arguments in program.applied:
        parameter = _owner(program, arguments["var"])
        for argument, tensor in arguments.items():
            if argument not in ("var", "kind") and _is_variable(program, tensor):
                key = slot_key(role(arguments["kind"], argument), parameter)
                found[key] = program.named[_owner(program, tensor)]
    return found


def _is_variable(program, tensor):
    return tensor.dtype == tf.resource or (tensor.dtype._is_ref_dtype and tensor.shape.ndims != 0)


def _private(program):
    """Scalar variables that only count: Adam's powers of beta and the global step."""
    found = {}
    for argument in BETA_POWERS:
        if argument in program.applied[0]:
            name = _read_from(program, program.applied[0][argument])
            if name is not None:
                found[argument] = program.named[name]
    global_step = tf.compat.v1.train.get_global_step(program.graph)
    if global_step is not None:
        found["global_step"] = global_step
    return found


def _read_from(program, tensor):
    """The variable that a tensor's value is read from, through casts and reads; None for a constant."""
    below = [name for name in _tensorflow_graph.ancestors([tensor.op]) if name in program.named]
    return below[0] if below else None


def _buffers(program):
    known = {id(v) for group in (_parameters, _slots, _private) for v in group(program).values()}
    return {name: variable for name, variable in program.named.items() if id(variable) not in known}


def _settings(program):
    """{name: scalar tensor} of the update operations' settings; those that differ by variable are numbered."""
    found = {}
    for arguments in program.applied:
        for argument, tensor in arguments.items():
            if argument in BETA_POWERS or argument in ("var", "grad", "delta", "kind"):
                continue
            if tensor.dtype.is_floating and tensor.shape.ndims == 0:
                _add_setting(found, SETTINGS.get(argument, argument), tensor)
    return found


def _add_setting(found, name, tensor):
    free, count = name, 2
    while free in found and found[free].name != tensor.name:
        free, count = "{}#{}".format(name, count), count + 1
    found[free] = tensor


def _write(program, values):
    """Assign through each variable's own initializer, fed with the value: no operation is added."""
    for variable, value in values:
        program.session.run(variable.initializer, {variable.initializer.inputs[1].name: value})


def _beta(program, power):
    name = SETTINGS[power.replace("_power", "")]
    return np.float64(settings(program)[name]["value"])


def _step(program, private):
    """Updates done: the global step, or the exponent of Adam's powers (the power after t updates is beta**(t+1))."""
    if "global_step" in private:
        return int(private["global_step"])
    if "beta2_power" in private and private["beta2_power"] > 0:
        return round(math.log(private["beta2_power"]) / math.log(_beta(program, "beta2_power"))) - 1
    return -1


def _private_at(program, step):
    """The counting variables as they stand after this many updates."""
    found = {}
    for name in _private(program):
        found[name] = step if name == "global_step" else _beta(program, name) ** (step + 1)
    return found


def _feeds(program, x, y, training):
    feeds = dict(program.replaced)
    feeds[program.inputs.name] = x
    if y is not None:
        feeds[program.targets.name] = _like(program.targets, y)
    if program.training is not None:
        feeds[program.training.name] = training
    return feeds


def _like(placeholder, y):
    """Labels in the placeholder's shape: a column where it has one, flat where it has none."""
    if placeholder.shape.ndims == 1 and y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    return y
