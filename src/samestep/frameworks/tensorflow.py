"""Base TensorFlow 2: a forward function, variables and an optimizer, run eagerly or as a tf.function."""

import inspect

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _keras_optimizers, _loops, _tensorflow_graph
from samestep.frameworks._roles import role, slot_key

GAPS = {
    "generators": "states of tf.random operations cannot be read or written; a tf.random.Generator among the variables can",
    "layers": "activations inside functions that forward calls are seen if those are plain functions, not tf.functions",
}
"""What this adapter cannot observe, and why."""

COUNTERS = ("beta1_power", "beta2_power")


class Program:
    """A model as functions of tensors, with what trains it.

    forward(x) or forward(x, training): the outputs. variables: the tf.Variables, trainable or not.
    loss(outputs, targets): a scalar. optimizer: with apply_gradients, of tf.optimizers or
    tf.compat.v1.train. metrics: {name: fn(outputs, targets)}, values of one batch. step(x, y):
    replaces the standard update and returns its loss. eager: run the standard update without
    tf.function. batches(x, y, batch_size, epoch): an input pipeline of the program's own.
    """

    def __init__(self, forward, *, variables, loss, optimizer=None, metrics=None, step=None, eager=False, batches=None):
        self.forward, self.variables, self.loss, self.optimizer = forward, list(variables), loss, optimizer
        self.metrics, self.step, self.eager, self.batches = dict(metrics or {}), step, eager, batches
        self.training_steps = {}


def load(built, x):
    """The program for what build() returned, its optimizer's slots made; x: an example batch (not needed here)."""
    program = built
    if program.optimizer is None and program.step is None:
        raise ProgramError("Program has neither an optimizer nor a step function: nothing would train it.")
    trainable = [variable for variable in program.variables if variable.trainable]
    program.parameters = _by_name(trainable)
    if program.optimizer is not None:
        _make_slots(program.optimizer, trainable)
    program.buffers = _by_name([v for v in program.variables if not v.trainable])
    program.takes_training = "training" in inspect.signature(_plain(program.forward)).parameters
    program.observed_step = _compiled(program, lambda x, y: _observed_step(program, x, y))
    program.evaluation = _compiled(program, lambda x, y: _loss_and_metrics(program, x, y, False))
    return program


def describe(program):
    """Names, shapes and dtypes of all that the program holds."""
    return {
        "framework": "tensorflow",
        "versions": {"tensorflow": tf.__version__},
        "optimizer": type(program.optimizer).__name__,
        "loss": getattr(program.loss, "__name__", type(program.loss).__name__),
        "inputs": [],
        "parameters": [_entry(name, v) for name, v in program.parameters.items()],
        "buffers": [_entry(name, v) for name, v in program.buffers.items()],
        "slots": [_entry(key, v) for key, v in _slots(program).items()],
        "lacks": _lacks(program),
    }


def state(program, values=None):
    """Write the given values, then return all that a step reads and writes, as arrays.

    Groups: parameters, buffers, slots (by role), counters (``step``: updates done) and private, which
    only this program can read back.
    """
    groups = {"parameters": program.parameters, "buffers": program.buffers, "slots": _slots(program)}
    groups.update(_counters_and_private(program, groups))
    values = dict(values or {})
    if "counters" in values and not groups["counters"]:
        values["private"] = dict(_powers_at(program, int(values.pop("counters")["step"])), **values.get("private", {}))
    for group, entries in values.items():
        for name, value in entries.items():
            groups[group][name].assign(tf.cast(value, groups[group][name].dtype))
    read = {group: {n: np.array(v) for n, v in variables.items()} for group, variables in groups.items()}
    read["counters"].setdefault("step", np.array(_step_of_powers(program, read["private"]), np.int64))
    return read


def forward(program, x, training):
    """Every float tensor that forward computes, in order, and its outputs."""
    outputs = tf.nest.flatten(_outputs(program, tf.constant(x), training))
    return {
        "activations": _activations(program, x, training),
        "outputs": {"output" if i == 0 else "output_{}".format(i): o.numpy() for i, o in enumerate(outputs)},
    }


def gradients(program, x, y):
    """Loss, gradients and metrics of one training step, without its update."""
    loss, given, metrics = program.observed_step(tf.constant(x), tf.constant(y))
    if len(given) != len(program.parameters):
        raise ProgramError(
            "step(x, y) gave {} gradients to the optimizer, and the program has {} trainable variables.\nOnly a step that "
            "calls optimizer.apply_gradients once, for all of them, is observed.".format(
                len(given), len(program.parameters)
            )
        )
    return {
        "loss": loss.numpy(),
        "gradients": {name: gradient.numpy() for name, gradient in zip(program.parameters, given)},
        "metrics": {name: value.numpy() for name, value in metrics.items()},
    }


def update(program, gradients, x, y):
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    if program.optimizer is None:
        raise ProgramError(
            "the program has no optimizer of its own, only step(x, y): its update is not observed by itself."
        )
    pairs = [(tf.constant(gradients[name]), variable) for name, variable in program.parameters.items()]
    program.optimizer.apply_gradients(pairs)


def train(program, x, y, batch_size, epochs, steps, watch):
    """Train; returns running_loss, float64 (steps,), and the means of each epoch."""
    compiled_for = str(settings(program))  # settings are constants in the compiled step
    if compiled_for not in program.training_steps:
        program.training_steps[compiled_for] = _compiled(program, lambda x, y: _training_step(program, x, y))
    training_step = program.training_steps[compiled_for]

    def one_step(x_batch, y_batch):
        return training_step(tf.constant(x_batch), tf.constant(y_batch))

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program, x, y, batch_size):
    """Means over rows of loss and metrics."""

    def one_batch(x_batch, y_batch):
        return program.evaluation(tf.constant(x_batch), tf.constant(y_batch))

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(program, x, y, batch_size, epochs, see):
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program, values=None):
    """Give the optimizer's settings other values, then return them all with their precision."""
    optimizer = program.optimizer
    if optimizer is None:
        return {}
    dtype = next((v.dtype.name for v in program.parameters.values()), "float32")
    if _keras_optimizers.is_keras_optimizer(optimizer):
        if values:
            _keras_optimizers.set_settings(optimizer, values)
        return _keras_optimizers.settings(optimizer, dtype)
    attributes = {name: attribute for attribute, name in V1_SETTINGS.items() if hasattr(optimizer, attribute)}
    for name, value in (values or {}).items():
        setattr(optimizer, attributes[name], value)
    found = {name: getattr(optimizer, attribute) for name, attribute in attributes.items()}
    return {n: {"value": float(v), "dtype": dtype} for n, v in sorted(found.items()) if isinstance(v, float)}


V1_SETTINGS = {
    "_beta1": "beta_1",
    "_beta2": "beta_2",
    "_decay": "decay",
    "_epsilon": "epsilon",
    "_learning_rate": "learning_rate",
    "_lr": "learning_rate",
    "_momentum": "momentum",
}
"""Settings of tf.compat.v1.train optimizers by their attributes, tensorflow/python/training/*.py."""


def _by_name(variables):
    named = {}
    for variable in variables:
        base = variable.name.replace(":0", "")
        name, count = base, 2
        while name in named:
            name, count = "{}#{}".format(base, count), count + 1
        named[name] = variable
    return named


def _entry(name, variable):
    dtype = variable.dtype if isinstance(variable.dtype, str) else variable.dtype.name
    return {"name": name, "shape": list(variable.shape), "dtype": dtype}


def _lacks(program):
    """Stages that cannot be seen by themselves, and why."""
    return {} if program.optimizer is not None else {"update": "the program has no optimizer, only step(x, y)"}


def _compiled(program, function):
    return function if program.eager else tf.function(function, reduce_retracing=True)


def _plain(function):
    return getattr(function, "python_function", function)


def _outputs(program, x, training):
    return program.forward(x, training=training) if program.takes_training else program.forward(x)


def _loss_and_metrics(program, x, y, training):
    outputs = _outputs(program, x, training)
    return program.loss(outputs, y), {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _standard_step(program, x, y):
    with tf.GradientTape() as tape:
        outputs = _outputs(program, x, True)
        loss = program.loss(outputs, y)
    variables = list(program.parameters.values())
    program.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss, {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _training_step(program, x, y):
    if program.step is None:
        return _standard_step(program, x, y)
    _, metrics = _loss_and_metrics(program, x, y, True)
    return program.step(x, y), metrics


def _observed_step(program, x, y):
    """A training step whose optimizer only notes the gradients that it is given."""
    given = []

    def note(grads_and_vars, *args, **kwargs):
        given.extend(tf.convert_to_tensor(gradient) for gradient, _ in grads_and_vars)

    if program.optimizer is None:
        with tf.GradientTape() as tape:
            loss, metrics = _loss_and_metrics(program, x, y, True)
        return loss, tape.gradient(loss, list(program.parameters.values())), metrics
    program.optimizer.apply_gradients = note
    try:
        if program.step is None:
            loss, metrics = _standard_step(program, x, y)
        else:
            _, metrics = _loss_and_metrics(program, x, y, True)
            loss = _plain(program.step)(x, y)
    finally:
        del program.optimizer.apply_gradients
    return loss, given, metrics


def _activations(program, x, training):
    """The float tensors of forward traced as a graph; function arguments stand for its inputs."""
    plain = _plain(program.forward)
    function = (lambda x: plain(x, training=training)) if program.takes_training else plain
    traced = tf.compat.v1.wrap_function(function, [tf.TensorSpec(x.shape, x.dtype)])
    found = _tensorflow_graph.activations(traced.graph, traced.inputs[0], tf.nest.flatten(traced.structured_outputs))
    if not found:
        return {}
    values = traced.prune(traced.inputs[0], list(found.values()))(tf.constant(x))
    return {name: value.numpy() for name, value in zip(found, values)}


def _make_slots(optimizer, trainable):
    if _keras_optimizers.is_keras_optimizer(optimizer):
        if not optimizer.built:
            optimizer.build(trainable)
    elif hasattr(optimizer, "_create_slots"):
        optimizer._prepare()
        optimizer._create_slots(trainable)


def _slots(program):
    optimizer = program.optimizer
    if _keras_optimizers.is_keras_optimizer(optimizer):
        return _keras_optimizers.slots(optimizer, list(program.parameters))
    found = {}
    for slot in optimizer.get_slot_names() if hasattr(optimizer, "get_slot_names") else ():
        for name, variable in program.parameters.items():
            found[slot_key(role(type(optimizer).__name__, slot), name)] = optimizer.get_slot(variable, slot)
    return found


def _counters_and_private(program, groups):
    known = {id(v) for variables in groups.values() for v in variables.values()}
    optimizer = program.optimizer
    if _keras_optimizers.is_keras_optimizer(optimizer):
        known.add(id(optimizer.iterations))
        others = [v for v in optimizer.variables if id(v) not in known]
        private = {"{}:{}".format(i, v.path): v for i, v in enumerate(others)}
        return {"counters": {"step": optimizer.iterations}, "private": private}
    powers = getattr(optimizer, "_get_beta_accumulators", lambda: ())()
    return {"counters": {}, "private": dict(zip(COUNTERS, powers))}


def _step_of_powers(program, private):
    if "beta2_power" not in private or private["beta2_power"] <= 0:
        return -1
    return round(float(np.log(private["beta2_power"]) / np.log(np.float32(program.optimizer._beta2)))) - 1


def _powers_at(program, step):
    betas = {"beta1_power": "_beta1", "beta2_power": "_beta2"}
    return {
        name: getattr(program.optimizer, betas[name]) ** (step + 1)
        for name in betas
        if hasattr(program.optimizer, betas[name])
    }
