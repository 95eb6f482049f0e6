"""Base TensorFlow in graph style: placeholders, a loss, a train op and a session.

Serves tf.compat.v1 in TensorFlow 2 and TensorFlow 1.15 itself. Nothing is added to the author's graph.
The optimizer's update operations (tensorflow/core/ops/training_ops.cc: ResourceApplyAdam and its
kin) name their slots, settings and gradient as inputs; a session can fetch each of them, and feed another value in its place.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _loops, _randomness, _randomness_tensorflow1, _tensorflow_graph, _tensorflow_twin
from samestep.frameworks._roles import role, slot_key

Keys = tf.compat.v1.GraphKeys
Arrays = Dict[str, np.ndarray]

GAPS = {
    "layouts": "variables are arrays of no layer: shapes, order and numbers decide what pairs",
    "several inputs or outputs": "one placeholder takes x and one y, and outputs is one tensor",
    "generators": "states of random operations live in the session's kernels and can be neither read nor written",
    "updates by assignment": "assignments of the author's own, and rows of embeddings by gradient descent or clipped, are judged "
    "within the whole step",
}
"""What this adapter cannot observe, and why."""

SETTINGS = {"lr": "learning_rate", "alpha": "learning_rate", "beta1": "beta_1", "beta2": "beta_2"}
"""Names of update operations' scalar inputs, as Keras calls them; others keep their name."""

NOT_SETTINGS = ("var", "grad", "delta", "kind", "indices", "beta1_power", "beta2_power")
ROW_SLOTS = {"Adam": "first_moment", "Adam_1": "second_moment"}
"""Roles of the slots that AdamOptimizer names so; it updates rows without a kernel that would name them."""


class Program:
    """A graph and the tensors of it that make a training program.

    inputs, targets: placeholders with a free first dimension. outputs, loss: tensors; loss is a scalar.
    train_op: the operation that minimize() returned. metrics: {name: tensor}, values of one batch.
    training: a bool placeholder, if the graph has one. training_feed, inference_feed: {placeholder: value} fed beside it, such as
    {keep_prob: 0.5} and {keep_prob: 1.0}. gradients: [(gradient, variable)] as compute_gradients returned them, where the
    train op changes them in a way that samestep does not see through. session: with initialised variables; a
    new one if not given. batches(x, y, batch_size, epoch): an input pipeline of the program's own.
    """

    # what load() finds in the graph
    graph: Any
    applied: list[dict[str, Any]]
    named: dict[str, Any]
    parameters: dict[str, Any]
    slots: dict[str, Any]
    buffers: dict[str, Any]
    private: dict[str, Any]
    counters: set[str]
    betas: dict[str, Any]
    raw: dict[str, Any]
    rows: dict[str, tuple[Any, Any]]
    draws: Any
    twin: Any

    def __init__(
        self,
        *,
        inputs: Any,
        targets: Any,
        outputs: Any,
        loss: Any,
        train_op: Any,
        metrics: dict[str, Any] | None = None,
        training: Any = None,
        training_feed: dict[Any, Any] | None = None,
        inference_feed: dict[Any, Any] | None = None,
        gradients: list[tuple[Any, Any]] | None = None,
        session: Any = None,
        batches: Callable[..., Any] | None = None,
    ) -> None:
        self.inputs, self.targets, self.outputs, self.loss = inputs, targets, outputs, loss
        self.train_op, self.metrics, self.training = getattr(train_op, "op", train_op), dict(metrics or {}), training
        self.feeds = {True: dict(training_feed or {}), False: dict(inference_feed or {})}
        self.given, self.session, self.batches = gradients, session, batches
        self.replaced: dict[str, Any] = {}
        self.updates = 0


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, with a session and its variables sorted by what they are for.

    x: an example batch (not needed here). Raises ProgramError where nothing trains or a tensor is not what it should be.
    """
    program = built
    program.graph = program.inputs.graph
    program.applied = _tensorflow_graph.apply_operations(program.train_op)
    program.named = {v.op.name: v for key in (Keys.GLOBAL_VARIABLES, Keys.LOCAL_VARIABLES) for v in _all(program, key)}
    _check_tensors(program)
    _sort_variables(program)
    _start_session(program)
    program.raw, program.twin = _gradients_as_written(program), None
    program.rows = _rows_as_written(program)
    program.draws = _randomness_tensorflow1.Draws([program.outputs, program.loss])
    program.updates = _counted(program, program.session.run(program.private))
    return program


def describe(program: Program) -> dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds; lacks: stages that it does not show by themselves, and why."""
    return {
        "framework": "tensorflow1",
        "versions": {"tensorflow": tf.__version__},
        "optimizer": program.applied[0]["kind"].replace("Apply", "") if program.applied else "",
        "loss": program.loss.op.name,
        "inputs": [{"shape": _shape(program.inputs), "dtype": program.inputs.dtype.name}],
        "parameters": [_entry(name, v) for name, v in program.parameters.items()],
        "buffers": [_entry(name, v) for name, v in program.buffers.items()],
        "slots": [_entry(key, v) for key, v in program.slots.items()],
        "lacks": _lacks(program),
    }


def state(program: Program, values: dict[str, Any] | None = None) -> dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' dtypes.

    Groups: parameters, buffers, slots (by role), counters (``step``: updates done) and private, which only this program can
    read back: Adam's powers of beta and the like, as the graph keeps them.
    """
    groups = {
        "parameters": program.parameters,
        "buffers": program.buffers,
        "slots": program.slots,
        "private": program.private,
    }
    values = dict(values or {})
    if "counters" in values:
        program.updates = int(values.pop("counters").get("step", program.updates))
        values["private"] = dict(_private_at(program, program.updates), **values.get("private", {}))
    _write(program, [(groups[g][name], value) for g, entries in values.items() for name, value in entries.items()])
    read = program.session.run(groups)
    return dict(read, counters={"step": np.array(_counted(program, read["private"]), np.int64)})


def forward(program: Program, x: np.ndarray, training: bool) -> dict[str, Arrays]:
    """The float tensors between input and outputs, in the order of the graph, and the outputs."""
    fetched = {
        "activations": _tensorflow_graph.activations(program.graph, program.inputs, [program.outputs]),
        "outputs": {"output": program.outputs},
    }
    found: dict[str, Arrays] = program.session.run(fetched, _feeds(program, x, None, training))
    return found


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Loss, gradients, before the train op clips or scales them, and metrics of one training step, without its update."""
    feeds = _feeds(program, x, y, True)
    fetched = {"loss": program.loss, "metrics": program.metrics}
    if _lacks(program):
        found: dict[str, Any] = program.session.run(fetched, feeds)
        beside = _twin(program).run(program.twin.gradients, feeds, _values(program))
        return dict(found, gradients={n: beside.get(n, np.zeros(_shape(v))) for n, v in program.parameters.items()})
    found = program.session.run(dict(fetched, dense=_raw(program, feeds), rows=program.rows), feeds)
    spread = {name: _spread(program.parameters[name], *rows) for name, rows in found.pop("rows").items()}
    given = dict(found.pop("dense"), **spread)
    return dict(found, gradients={name: given[name] for name in program.parameters})


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Run the train op with these gradients in the place of its own; x and y are the batch they belong to."""
    if _lacks(program):
        raise ProgramError("the update is not observed by itself: {}".format(_lacks(program)["update"]))
    feeds = _feeds(program, x, y, True)
    numbers = program.session.run({name: numbers for name, (_, numbers) in program.rows.items()}, feeds)
    feeds.update({tensor.name: gradients[name] for name, tensor in _raw(program, feeds).items()})
    feeds.update({rows.name: gradients[name][numbers[name]] for name, (rows, _) in program.rows.items()})
    program.session.run(program.train_op, feeds)
    program.updates += 1


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: int | None,
    watch: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train by the train op; returns running_loss, float64 (steps,), and the means of each epoch."""
    fetched = [program.train_op, program.loss, program.metrics]

    def one_step(x_batch, y_batch):
        _, loss, metrics = program.session.run(fetched, _feeds(program, x_batch, y_batch, True))
        program.updates += 1
        return loss, metrics

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> dict[str, float]:
    """Means over rows of loss and metrics."""
    fetched = [program.loss, program.metrics]

    def one_batch(x_batch, y_batch):
        return program.session.run(fetched, _feeds(program, x_batch, y_batch, False))

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: dict[str, float] | None = None) -> dict[str, dict[str, Any]]:
    """Give the optimizer's settings other values, then return them all with their precision.

    A setting that follows from a counter, such as a decaying learning rate, is left alone.
    """
    tensors = _settings(program)
    for name, value in (values or {}).items():
        if not _scheduled(program, tensors[name]):
            program.replaced[tensors[name].name] = value
    read = _read(program, tensors, _own_feeds(program, True))
    return {name: {"value": float(read[name]), "dtype": _precision(tensors[name])} for name in sorted(read)}


def _shape(tensor):
    return [None if size is None else int(size) for size in tensor.shape.as_list()]


def _entry(name, variable):
    return {"name": name, "shape": _shape(variable), "dtype": variable.dtype.base_dtype.name}


def _all(program, key):
    return program.graph.get_collection(key)


def _check_tensors(program):
    if program.loss.shape.ndims not in (0, None):
        raise ProgramError(
            "loss {!r} has shape {}, it should be a scalar.\nPass its mean over the batch: tf.reduce_mean(loss).".format(
                program.loss.name, tuple(_shape(program.loss))
            )
        )
    local = {variable.op.name for variable in _all(program, Keys.LOCAL_VARIABLES)}
    for name, tensor in program.metrics.items():
        if local & set(_tensorflow_graph.ancestors([tensor.op])):
            raise ProgramError(
                "metric {!r} adds up over batches, as those of tf.metrics do; it should be the value of one batch.\n"
                "For an accuracy: tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), targets), tf.float32)).".format(
                    name
                )
            )


def _sort_variables(program):
    """Sort what a step reads or writes into parameters, slots, private (counters, settings) and, the rest, buffers."""
    assigned = [(op, v.name) for op, v in _tensorflow_graph.assigned(program.train_op) if v.name in program.named]
    program.parameters = _parameters(program, {name for _, name in assigned})
    program.slots = _slots(program)
    known = {id(v) for group in (program.parameters, program.slots) for v in group.values()}
    program.counters = {name for op, name in assigned if _tensorflow_graph.increments(op)}
    powers = ((name, _tensorflow_graph.beta_of_power(op)) for op, name in assigned)
    program.betas = {name: beta for name, beta in powers if beta is not None}
    private = program.counters | set(program.betas) | _of_settings(program)
    program.private = {n: v for n, v in program.named.items() if n in private and id(v) not in known}
    reached = _tensorflow_graph.ancestors([program.train_op, program.loss.op, program.outputs.op])
    known.update(id(v) for v in program.private.values())
    program.buffers = {n: v for n, v in program.named.items() if n in reached and id(v) not in known}


def _parameters(program, assigned):
    """Variables that an update operation writes, and trainable ones that the train op writes otherwise."""
    updated = {_owner(program, arguments["var"]) for arguments in program.applied}
    updated |= assigned & {variable.op.name for variable in _all(program, Keys.TRAINABLE_VARIABLES)}
    if not updated:
        raise ProgramError(
            "train_op {!r} leads to no update of a variable.\nPass what optimizer.minimize(loss) returned.".format(
                program.train_op.name
            )
        )
    return {name: variable for name, variable in program.named.items() if name in updated}


def _slots(program):
    found = {}
    for arguments in program.applied:
        parameter = _owner(program, arguments["var"])
        for argument, tensor in arguments.items():
            if argument not in ("var", "kind") and _is_variable(tensor):
                key = slot_key(role(arguments["kind"], argument), parameter)
                found[key] = program.named[_owner(program, tensor)]
    return dict(found, **_row_slots(program, found))


def _row_slots(program, found):
    """Slots of parameters that are updated row by row without a kernel, named as AdamOptimizer names them."""
    with_slots = {key.split("|", 1)[1] for key in found}
    return {
        slot_key(kind, parameter): program.named["{}/{}".format(parameter, suffix)]
        for parameter in program.parameters
        if parameter not in with_slots
        for suffix, kind in ROW_SLOTS.items()
        if "{}/{}".format(parameter, suffix) in program.named
    }


def _is_variable(tensor):
    return tensor.dtype == tf.resource or tensor.dtype._is_ref_dtype


def _of_settings(program):
    """Scalar variables that the optimizer's settings are computed from."""
    reached = _tensorflow_graph.ancestors([tensor.op for tensor in _settings(program).values()])
    return {name for name, variable in program.named.items() if name in reached and variable.shape.ndims == 0}


def _start_session(program):
    """Make a session unless the author gave one, by the variables' own initializers: no operation is added."""
    if program.session is None:
        program.session = tf.compat.v1.Session(graph=program.graph)
        program.session.run([variable.initializer for variable in program.named.values()])
        program.session.run(_all(program, Keys.TABLE_INITIALIZERS))
    try:
        program.session.run([program.parameters, program.slots, program.private, program.buffers])
    except tf.errors.FailedPreconditionError as error:
        raise ProgramError(
            "the session's variables are not initialised: {}\nRun tf.compat.v1.global_variables_initializer() in it, after "
            "the train op is made, before build() returns.".format(error.message.splitlines()[0])
        ) from error


def _owner(program, handle):
    """The name of the variable that an update operation's input stands for."""
    return handle.op.name if handle.op.name in program.named else handle.op.inputs[0].op.name


def _gradients_as_written(program):
    """{parameter: gradient tensor} as the author gave them, or as the update operations take them; rows are left out."""
    if program.given:
        found = {variable.op.name: gradient for gradient, variable in program.given}
    else:
        dense = [arguments for arguments in program.applied if "indices" not in arguments]
        found = {_owner(program, a["var"]): a["grad"] if "grad" in a else a["delta"] for a in dense}
    return {n: found[n] for n in program.parameters if isinstance(found.get(n), tf.Tensor)}


def _rows_as_written(program):
    """{parameter: (rows of its gradient, their numbers)} of parameters that are updated row by row."""
    if program.given or not all(_tensorflow_graph.made_by_gradients(tensor) for tensor in program.raw.values()):
        return {}
    found = {}
    for operation, variable in _tensorflow_graph.assigned(program.train_op):
        if variable.name in program.parameters and variable.name not in program.raw:
            found[variable.name] = _tensorflow_graph.summed_rows(operation)
    return {name: rows for name, rows in found.items() if rows is not None}


def _spread(variable, rows, numbers):
    """A gradient given by rows, as an array of the variable's shape."""
    gradient = np.zeros(_shape(variable), rows.dtype)
    gradient[numbers] = rows
    return gradient


def _lacks(program: Program) -> dict[str, str]:
    """Stages that cannot be seen by themselves, and why."""
    unseen = [name for name in program.parameters if name not in program.raw and name not in program.rows]
    if not unseen:
        return {}
    return {"update": "the train op updates {} by rows or by assignment, not by an update operation".format(unseen[0])}


def _raw(program, feeds):
    """{parameter: tensor} of the gradients as they are before the train op clips or scales them."""
    made = all(_tensorflow_graph.made_by_gradients(tensor) for tensor in program.raw.values())
    if not made and not program.given and program.twin is None:
        program.raw = _tensorflow_twin.raw_gradients(_twin(program), program.raw, feeds, _values(program))
    return program.raw


def _twin(program):
    if program.twin is None:
        program.twin = _tensorflow_twin.Twin(program.loss, program.parameters)
    return program.twin


def _values(program):
    values = program.session.run(program.named)
    return [(variable, values[name]) for name, variable in program.named.items()]


def _settings(program):
    """{name: scalar tensor} of the update operations' settings; those that differ by variable are numbered."""
    found = {}
    for arguments in program.applied:
        for argument, tensor in arguments.items():
            if argument in NOT_SETTINGS or _is_variable(tensor):
                continue
            if tensor.dtype.is_floating and tensor.shape.ndims == 0:
                _add_setting(found, SETTINGS.get(argument, argument), tensor)
    return found


def _add_setting(found, name, tensor):
    free, count = name, 2
    while free in found and found[free].name != tensor.name:
        free, count = "{}#{}".format(name, count), count + 1
    found[free] = tensor


def _precision(tensor):
    """The precision in which a setting is held: TensorFlow makes float32 of a number, and casts it for float64 weights."""
    tensor = tensor.op.inputs[0] if tensor.op.type == "Cast" else tensor
    return tensor.dtype.base_dtype.name


def _scheduled(program, tensor):
    return bool(program.counters & set(_tensorflow_graph.ancestors([tensor.op])))


def _write(program, values):
    """Assign through each variable's own initializer, fed with the value: no operation is added."""
    for variable, value in values:
        program.session.run(variable.initializer, {variable.initializer.inputs[1].name: value})


def _counted(program, private):
    """Updates done, by the graph's own count, or where it has none by those that samestep ran.

    Adam's power after t updates is beta ** (t + 1). The smallest beta tells the count best, until its power is too small
    to be a normal number; when all are, bias correction is over and nothing depends on the count.
    """
    for name in sorted(program.counters):
        return int(private[name])
    betas = _betas(program)
    for name in sorted(betas, key=lambda name: betas[name]):
        if private[name] > np.finfo(private[name].dtype).tiny and 0 < betas[name] < 1:
            return round(math.log(private[name]) / math.log(betas[name])) - 1
    return program.updates


def _betas(program):
    return {name: float(value) for name, value in _read(program, program.betas, {}).items()}


def _read(program, tensors, feeds):
    """Values of scalars. Constants are read off the graph: fetched, they would run the moving averages that
    `with tf.control_dependencies(update_ops)` ties to all that is made below it.
    """
    known = {name: feeds.get(tensor.name, _constant(tensor)) for name, tensor in tensors.items()}
    known = {name: value for name, value in known.items() if value is not None}
    return dict(program.session.run({n: t for n, t in tensors.items() if n not in known}, feeds), **known)


def _constant(tensor):
    """The value of a constant, or None. (tf.get_static_value would forbid that it is ever fed.)"""
    if tensor.op.type in ("Cast", "Identity"):
        return _constant(tensor.op.inputs[0])
    return tf.make_ndarray(tensor.op.get_attr("value")) if tensor.op.type == "Const" else None


def _private_at(program, step):
    """The counting variables as they stand after this many updates."""
    found = {name: beta ** (step + 1) for name, beta in _betas(program).items()}
    return dict(found, **dict.fromkeys(program.counters, step))


def _own_feeds(program, training):
    """What is fed beside a batch: the author's own feeds and the settings that samestep replaced."""
    feeds = {tensor.name: value for tensor, value in program.feeds[training].items()}
    if program.training is not None:
        feeds[program.training.name] = training
    return dict(feeds, **program.replaced)


def _feeds(program, x, y, training):
    feeds = dict(_own_feeds(program, training), **{program.inputs.name: x})
    if y is not None:
        feeds[program.targets.name] = _like(program.targets, y)
    _randomness.begin(program.updates if training else _randomness.INFERENCE)
    return dict(feeds, **program.draws.feeds(program.session, feeds))


def _like(placeholder, y):
    """Labels in the placeholder's shape: a column where it has one, flat where it has none."""
    if placeholder.shape.ndims == 1 and y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if placeholder.shape.ndims == 2 and y.ndim == 1 and _shape(placeholder)[1] == 1:
        return y[:, None]
    return y
