"""Base TensorFlow 2: a forward function, variables and an optimizer, run eagerly or as a tf.function."""

from __future__ import annotations

import contextlib
import inspect
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _keras_optimizers, _loops, _randomness, _tensorflow_gradients, _tensorflow_graph
from samestep.frameworks._keras_optimizers import array, noting
from samestep.frameworks._names import by_name, named_outputs
from samestep.frameworks._roles import role, slot_key

GAPS = {
    "layouts": "variables are arrays of no layer: shapes, order and numbers decide what pairs",
    "several inputs or outputs": "x and y are one array each; what forward returns may be any nest of tensors",
    "generators": "states of tf.random operations cannot be read or written; a tf.random.Generator's can, among the variables",
    "layers": "activations are seen where forward runs as a graph, and not inside further tf.functions that it calls",
    "gradients": "a step(x, y) without an optimizer shows only its loss: gradients and update are judged within the whole step",
    "update": "see gradients",
    "steps": "a step(x, y) of the program's own is observed eagerly, where Keras computes some losses otherwise than compiled",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]
POWERS = {"beta1_power": "_beta1", "beta2_power": "_beta2"}


class Program:
    """A model as functions of tensors, with what trains it.

    forward(x) or forward(x, training): the outputs. variables: the tf.Variables, trainable or not.
    loss(outputs, targets): a scalar. optimizer: with apply_gradients, of tf.optimizers or
    tf.compat.v1.train. metrics: {name: fn(outputs, targets)}, values of one batch. step(x, y):
    replaces the standard update, is called as it is, decorated with tf.function or not, and returns its loss.
    eager: run the standard update without tf.function. batches(x, y, batch_size, epoch): an input pipeline of the
    program's own. counter: the variable that counts updates, where the program keeps one of its own, such as the
    global step that a learning rate goes by; it is not one of variables.
    Raises ProgramError if there is neither an optimizer nor a step.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        variables: Sequence[tf.Variable],
        loss: Callable[[Any, Any], Any],
        optimizer: Any = None,
        metrics: Optional[Dict[str, Callable[[Any, Any], Any]]] = None,
        step: Optional[Callable[[Any, Any], Any]] = None,
        eager: bool = False,
        batches: Optional[Callable[..., Any]] = None,
        counter: Optional[tf.Variable] = None,
    ) -> None:
        if optimizer is None and step is None:
            raise ProgramError("Program has neither an optimizer nor a step function: nothing would train it.")
        self.forward, self.variables, self.loss, self.optimizer = forward, list(variables), loss, optimizer
        self.metrics, self.step, self.eager, self.batches = dict(metrics or {}), step, eager, batches
        self.counter = counter
        self.parameters = by_name([v for v in self.variables if v.trainable])
        self.buffers = by_name([v for v in self.variables if not v.trainable and v is not counter])
        self.takes_training = "training" in inspect.signature(_plain(forward)).parameters
        self.updates = 0
        self.gradient_forms: Dict[str, str] = {}
        self.training_steps: Dict[str, Callable[..., Any]] = {}
        self.observed_forwards: Dict[Any, Callable[..., Any]] = {}
        self.observed_step = _compiled(self, lambda x, y: _observed_step(self, x, y)) if step is None else None
        self.evaluation = _compiled(self, lambda x, y: _loss_and_metrics(self, x, y, False))
        self.metrics_aside = _compiled(self, lambda x, y: _metrics_aside(self, x, y))


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, its optimizer's slots made; x: example rows (not needed here)."""
    optimizer, trainable = built.optimizer, list(built.parameters.values())
    if _keras_optimizers.is_keras_optimizer(optimizer):
        if not optimizer.built:
            optimizer.build(trainable)
    elif hasattr(optimizer, "_create_slots"):
        optimizer._prepare()
        optimizer._create_slots(trainable)
    return built


def describe(program: Program) -> Dict[str, Any]:
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


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' shapes and dtypes.

    Groups: parameters (trainable), buffers (the other variables), slots (by role), counters (``step``: updates done) and
    private, which only this program can read back. Where counters are written without private, what follows from the
    step is set.
    """
    groups = _variables(program)
    values = dict(values or {})
    if "counters" in values:
        program.updates = int(values["counters"]["step"])
    if "counters" in values and "private" not in values:
        _follow(program, groups, int(values["counters"]["step"]))
    for group, entries in values.items():
        for name, value in entries.items():
            if name in groups[group]:  # a step that only the powers of beta count has no variable
                groups[group][name].assign(tf.cast(value, groups[group][name].dtype))
    read = {group: {n: array(v) for n, v in variables.items()} for group, variables in groups.items()}
    read["counters"].setdefault("step", np.array(_updates(program), np.int64))
    return read


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """Every float tensor that forward computes, in order, and its outputs; an eager program shows its outputs only."""
    _randomness.begin(_updates(program) if training else _randomness.INFERENCE)
    if program.eager:
        names, values, outputs = [], [], tf.nest.flatten(_outputs(program, tf.constant(x), training))
    else:
        key = (training, x.shape, x.dtype.str)
        if key not in program.observed_forwards:
            program.observed_forwards[key] = _trace_forward(program, training)
        names, values, outputs = program.observed_forwards[key](tf.constant(x))
    return {
        "activations": {name: value.numpy() for name, value in zip(names, values)},
        "outputs": named_outputs(o.numpy() for o in outputs),
    }


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update.

    A gradient that is missing is shown as zeros; without an optimizer none is shown. Raises ProgramError if the step does not
    give its optimizer each trainable variable's gradient once.
    """
    observe = program.observed_step or (lambda x, y: _observed_own_step(program, x, y))
    _randomness.begin(_updates(program))
    loss, given, metrics = observe(tf.constant(x), tf.constant(y))
    return {
        "loss": array(loss),
        "gradients": {name: array(given[name]) for name in program.parameters if name in given},
        "metrics": {name: array(value) for name, value in metrics.items()},
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    if program.optimizer is None:
        raise ProgramError(
            "the program has no optimizer of its own, only step(x, y): its update is not observed by itself."
        )
    pairs = _tensorflow_gradients.as_given(gradients, program.parameters, program.gradient_forms)
    program.optimizer.apply_gradients(pairs)
    program.updates += 1
    if program.counter is not None:
        program.counter.assign_add(1)


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: Optional[int],
    watch: Callable[[int, int], None],
) -> Dict[str, Any]:
    """Train; returns running_loss, float64 (steps,), and the means of each epoch."""
    training_step = _training_step(program)

    def one_step(x_batch: np.ndarray, y_batch: np.ndarray) -> Any:
        _randomness.begin(_updates(program))
        loss, metrics = training_step(tf.constant(x_batch), tf.constant(y_batch))
        program.updates += 1
        return _arrays(loss, metrics)

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Means over rows of loss and metrics."""

    def one_batch(x_batch: np.ndarray, y_batch: np.ndarray) -> Any:
        return _arrays(*program.evaluation(tf.constant(x_batch), tf.constant(y_batch)))

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
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
        if isinstance(getattr(optimizer, attributes[name]), (int, float)):  # a schedule is left alone
            setattr(optimizer, attributes[name], value)
    found = {name: getattr(optimizer, attribute) for name, attribute in attributes.items()}
    return {n: {"value": _number(v), "dtype": dtype} for n, v in sorted(found.items()) if v is not None}


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


def _arrays(loss: Any, metrics: Dict[str, Any]) -> Tuple[np.ndarray, Arrays]:
    return array(loss), {name: array(value) for name, value in metrics.items()}


def _number(value: Any) -> float:
    """A setting's value now: a number, a tensor or a function without arguments, as a schedule is."""
    return float(array(value() if callable(value) and not hasattr(value, "dtype") else value))


def _entry(name: str, variable: Any) -> Dict[str, Any]:
    dtype = variable.dtype if isinstance(variable.dtype, str) else variable.dtype.name
    return {"name": name, "shape": list(variable.shape), "dtype": dtype}


def _lacks(program: Program) -> Dict[str, str]:
    """Stages that cannot be seen by themselves, and why."""
    why = "the program has no optimizer, only step(x, y)"
    return {} if program.optimizer is not None else {"gradients": why, "update": why}


def _compiled(program: Program, function: Callable[..., Any]) -> Any:
    return function if program.eager else tf.function(function, reduce_retracing=True)


def _plain(function: Any) -> Any:
    """The Python function inside a tf.function, or inside a module whose __call__ is one."""
    function = function.__call__ if isinstance(function, tf.Module) else function
    return getattr(function, "python_function", function)


def _outputs(program: Program, x: Any, training: bool) -> Any:
    return program.forward(x, training=training) if program.takes_training else program.forward(x)


def _loss_and_metrics(program: Program, x: Any, y: Any, training: bool) -> Tuple[Any, Dict[str, Any]]:
    outputs = _outputs(program, x, training)
    return program.loss(outputs, y), {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _standard_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    with tf.GradientTape() as tape:
        outputs = _outputs(program, x, True)
        loss = program.loss(outputs, y)
    variables = list(program.parameters.values())
    program.optimizer.apply_gradients(list(zip(tape.gradient(loss, variables), variables)))
    return loss, {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _training_step(program: Program) -> Callable[..., Any]:
    """A function of (x, y) that updates the program and returns (loss, metrics)."""
    if program.step is not None:
        return partial(_own_step, program, program.step)
    compiled_for = _constants(program)
    if compiled_for not in program.training_steps:
        program.training_steps[compiled_for] = _compiled(program, lambda x, y: _counted_step(program, x, y))
    return program.training_steps[compiled_for]


def _counted_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    loss, metrics = _standard_step(program, x, y)
    if program.counter is not None:
        program.counter.assign_add(1)
    return loss, metrics


def _own_step(program: Program, step: Callable[..., Any], x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    metrics = program.metrics_aside(x, y) if program.metrics else {}
    _randomness.begin(_updates(program))
    return step(x, y), metrics


def _metrics_aside(program: Program, x: Any, y: Any) -> Dict[str, Any]:
    """Metrics of a forward pass beside the program's own step, with what the pass changes put back."""
    before = [tf.identity(v) for v in program.buffers.values()]
    _, metrics = _loss_and_metrics(program, x, y, True)
    for variable, value in zip(program.buffers.values(), before):
        variable.assign(value)
    return metrics


def _observed_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any], Dict[str, Any]]:
    """The standard step with an optimizer that only notes the gradients that it is given."""
    with noting(program.optimizer) as given:
        loss, metrics = _standard_step(program, x, y)
    return loss, _gradients_by_name(program, given), metrics


def _observed_own_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any], Dict[str, Any]]:
    """As _observed_step, with the program's own step(x, y), which goes on from what its optimizer updates.

    Who calls puts the state back. Without an optimizer no gradients are shown.
    """
    if program.optimizer is None:
        loss, metrics = _training_step(program)(x, y)
        return loss, {}, metrics
    # a tf.function would keep what it was traced with: the step that trains must not be traced here
    with _functions_run_eagerly(), noting(program.optimizer, updating=True) as given:
        loss, metrics = _training_step(program)(x, y)
    return loss, _gradients_by_name(program, given), metrics


def _gradients_by_name(program: Program, given: List[Tuple[Any, Any]]) -> Dict[str, Any]:
    whose = "the step" if program.step is None else "step(x, y)"
    return _tensorflow_gradients.by_name(given, program.parameters, program.gradient_forms, whose)


@contextlib.contextmanager
def _functions_run_eagerly() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _trace_forward(program: Program, training: bool) -> Callable[[Any], Tuple[List[str], List[Any], List[Any]]]:
    """The forward function as a graph that also returns the float tensors on its way, as (names, values, outputs)."""
    names: List[str] = []
    plain = _plain(program.forward)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def intermediate(x: Any, outputs: List[Any]) -> List[Any]:
        found = _tensorflow_graph.activations(x.graph, x, outputs)
        names[:] = list(found)
        return list(found.values())

    @tf.function  # type: ignore[untyped-decorator]
    def traced(x: Any) -> Tuple[List[Any], List[Any]]:
        outputs = tf.nest.flatten(plain(x, training=training) if program.takes_training else plain(x))
        return intermediate(x, outputs), outputs

    return lambda x: (lambda seen: (names, *seen))(traced(x))


def _slots(program: Program) -> Dict[str, Any]:
    optimizer = program.optimizer
    if _keras_optimizers.is_keras_optimizer(optimizer):
        return _keras_optimizers.slots(optimizer, program.parameters)
    found = {}
    for slot in optimizer.get_slot_names() if hasattr(optimizer, "get_slot_names") else ():
        for name, variable in program.parameters.items():
            found[slot_key(role(type(optimizer).__name__, slot), name)] = optimizer.get_slot(variable, slot)
    return found


def _variables(program: Program) -> Dict[str, Dict[str, Any]]:
    """All variables, by the groups of a state."""
    optimizer = program.optimizer
    groups = {"parameters": program.parameters, "buffers": program.buffers, "slots": _slots(program)}
    if not _keras_optimizers.is_keras_optimizer(optimizer):
        powers = getattr(optimizer, "_get_beta_accumulators", lambda: ())()
        groups["counters"] = {} if program.counter is None else {"step": program.counter}
        return dict(groups, private=dict(zip(POWERS, powers)))
    groups["counters"] = {"step": _keras_optimizers.counter(optimizer)}
    known = {id(v) for variables in groups.values() for v in variables.values()}
    others = [v for v in optimizer.variables if id(v) not in known]
    private = {"{}:{}".format(i, v.path): v for i, v in enumerate(others)}
    return dict(groups, private=private if program.counter is None else dict(private, counter=program.counter))


def _constants(program: Program) -> str:
    """The settings that a compiled step holds as constants."""
    if _keras_optimizers.is_keras_optimizer(program.optimizer):
        return _keras_optimizers.constants(program.optimizer)
    return str({name: getattr(program.optimizer, name, None) for name in V1_SETTINGS})


def _updates(program: Program) -> int:
    """Updates done, by the program's own count: a counter, or Adam's power of beta, which is beta**(t + 1) after t updates.

    Where it has none, by those that samestep ran.
    """
    optimizer = program.optimizer
    if _keras_optimizers.is_keras_optimizer(optimizer):
        return int(array(_keras_optimizers.counter(optimizer)))
    if program.counter is not None:
        return int(array(program.counter))
    power = [array(power) for power in getattr(optimizer, "_get_beta_accumulators", lambda: ())()][1:]
    if not power or power[0] <= 0:
        return program.updates
    return round(float(np.log(power[0]) / np.log(np.float32(optimizer._beta2)))) - 1


def _follow(program: Program, groups: Dict[str, Dict[str, Any]], step: int) -> None:
    """Set what follows from the number of updates alone."""
    if program.counter is not None:
        program.counter.assign(step)
    if _keras_optimizers.is_keras_optimizer(program.optimizer):
        _keras_optimizers.follow(program.optimizer, step)
        return
    for power, variable in groups["private"].items():
        variable.assign(getattr(program.optimizer, POWERS[power]) ** (step + 1))
