"""Keras 3: a compiled model, trained by its own fit.

The TensorFlow backend is observed through the compiled step that fit runs (its train_step, traced as
fit traces it), since Keras computes some losses otherwise when traced than when run eagerly:
keras/src/backend/tensorflow/nn.py, _get_logits.
"""

from __future__ import annotations

import contextlib
import random
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import keras
import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _keras_optimizers, _loops
from samestep.frameworks._keras_optimizers import array

GAPS = {
    "backends": "the JAX and PyTorch backends of Keras are not observed yet: KERAS_BACKEND=tensorflow",
    "several inputs or outputs": "a model takes one array x and returns one tensor for one array y",
    "half precision": "parameters are float32 or float64 (mixed_bfloat16 has such) and no scaled loss (mixed_float16)",
    "clipping": "a model that clips or averages gradients in its own train_step shows them as clipped",
    "generators": "states of tf.random operations cannot be read or written; those of Keras's seed generators can",
    "callbacks": "what a callback counts by itself is not put back after an observation; of a learning rate that callbacks "
    "set, only LearningRateScheduler's is known at a step that was not trained to",
    "steps_per_execution": "steps are run one at a time, so that each one's loss is seen",
    "the end of fit": "what an optimizer does to the weights when fit ends (use_ema) is left out: samestep trains in stretches",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]
GIVEN_BY_SAMESTEP = ("x", "y", "batch_size", "epochs", "initial_epoch", "steps_per_epoch", "validation_split")


class Program:
    """A compiled model and how its author calls fit.

    model: a compiled keras.Model with one input and one output. fit: keyword arguments for its fit (shuffle, callbacks,
    class_weight, validation_data, …); samestep passes shuffle=False unless it is named here. A sample_weight is
    a function of (x, y) that returns a weight for each row, (N,), since fit is also called on parts of the
    data. batches(x, y, batch_size, epoch): an input pipeline of the program's own, a generator of (x, y).
    Raises ProgramError for arguments that samestep itself gives to fit.
    """

    def __init__(
        self, model: Any, *, fit: Optional[Dict[str, Any]] = None, batches: Optional[Callable[..., Any]] = None
    ) -> None:
        self.model = model
        self.fit = dict({"shuffle": False}, **(fit or {}))
        self.batches = batches
        self.observed_step: Any = None
        self.train_functions: Dict[str, Any] = {}
        self.gradient_forms: Dict[str, str] = {}
        self.steps_per_epoch = 1  # of the longest stretch of data that it was trained on
        self.first_rate = float("nan")
        _check_fit(self.fit)


def load(built: Any, x: np.ndarray) -> Program:
    """The program for what build() returned; x: example rows, to build a model that is not built yet."""
    program = built if isinstance(built, Program) else Program(built)
    model = program.model
    if keras.backend.backend() != "tensorflow":
        raise ProgramError("Keras runs on {}. {}".format(keras.backend.backend(), GAPS["backends"]))
    if not model.compiled:
        raise ProgramError(
            "the Keras model {!r} is not compiled.\nCall model.compile(optimizer=…, loss=…, metrics=[…]) before build() "
            "returns it.".format(model.name)
        )
    _check_one(model, "inputs")
    _check_one(model, "outputs")
    if not model.built:
        model(keras.Input(batch_shape=(None, *x.shape[1:]), dtype=str(x.dtype)))
    _check_precision(model)
    if model.trainable_variables and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _make_global_generator()
    program.first_rate = float(array(model.optimizer.learning_rate))
    return program


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds."""
    model = program.model
    return {
        "framework": "keras",
        "versions": _versions(),
        "optimizer": type(model.optimizer).__name__,
        "loss": _name(model.loss),
        "inputs": [
            {"shape": list(tensor.shape), "dtype": tensor.dtype} for tensor in getattr(model, "inputs", None) or []
        ],
        "parameters": [_entry(name, v) for name, v in _parameters(model).items()],
        "buffers": [_entry(name, v) for name, v in _buffers(model).items()],
        "slots": [_entry(key, v) for key, v in _slots(model).items()],
        "generators": [_entry(name, v) for name, v in _generators(model).items()],
        "lacks": {},
    }


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' shapes and dtypes.

    Groups: parameters (trainable), buffers (other weights, frozen ones among them), slots (by role), counters (``step``:
    updates done), generators (states of seed generators) and private, which only this program can read back: metrics,
    the learning rate. Where counters are written without private, what follows from the step is set.
    """
    groups = _variables(program.model)
    values = values or {}
    for group, entries in values.items():
        for name, value in entries.items():
            groups[group][name].assign(value)
    if "counters" in values and "private" not in values:
        _keras_optimizers.follow(program.model.optimizer, int(values["counters"]["step"]))
    return {group: {n: array(v) for n, v in variables.items()} for group, variables in groups.items()}


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """Every layer's float outputs, in the order in which they are computed, and the model's output."""
    seen: Arrays = {}
    with _recording_layers(program.model, seen):
        outputs = program.model(x, training=training)
    named = {"output" if i == 0 else "output_{}".format(i): array(o) for i, o in enumerate(keras.tree.flatten(outputs))}
    return {"activations": seen, "outputs": named}


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update.

    The model's own train_step runs as fit would run it, on the batch as fit would hand it over (with weights of its rows),
    with the optimizer's apply in its place noting what it is given. A gradient that is missing is shown as zeros.
    Raises ProgramError if the step does not give each trainable variable's gradient once.
    """
    model = program.model
    seen: List[Any] = []
    step = _observed_step(program)

    def observe(iterator: Any) -> Dict[str, Any]:
        *batch, weights = next(iterator)
        seen.append(step(tuple(batch) if weights is None else (*batch, weights)))  # as fit does
        return {}

    with _attributes(model, train_function=observe):
        model.train_on_batch(x, y, return_dict=True, **_weights(program, x, y))
    logs, given = seen[0]
    logs = {name: array(value) for name, value in _flat(logs).items()}
    return {
        "loss": logs.pop("loss", np.array(np.nan)),
        "gradients": {name: array(given[name]) for name in _parameters(model)},
        "metrics": logs,
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    from samestep.frameworks import _tensorflow_gradients

    _set_rate_after(program, _epoch_of(program) + 1)
    pairs = _tensorflow_gradients.as_given(gradients, _parameters(program.model), program.gradient_forms)
    program.model.optimizer.apply(*zip(*pairs))


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: Optional[int],
    watch: Callable[[int, int], None],
) -> Dict[str, Any]:
    """Train by fit; returns running_loss, float64 (steps,), and the logs of each epoch.

    Epochs are numbered on from the state that training starts in, for the callbacks that go by them.
    """
    model = program.model
    _count_epoch(program, x, batch_size)
    observer = _Observer(steps, epochs * -(-len(x) // batch_size), watch)
    constants = _keras_optimizers.constants(model.optimizer)
    first = _epoch_of(program)
    last = first + (epochs if steps is None else max(epochs, steps))
    options = _fit_options(program, x, y, [*program.fit.get("callbacks", ()), observer])
    _set_rate_after(program, first)  # each epoch goes on from the rate of the one before
    with _as_stretch(model), _attributes(model, train_function=program.train_functions.get(constants)):
        if program.batches is None:
            model.fit(x, y, batch_size=batch_size, epochs=last, initial_epoch=first, **options)
        else:
            _fit_own_batches(model, program.batches, x, y, batch_size, range(first, last), options)
        program.train_functions[constants] = model.train_function
    return {"running_loss": np.array(observer.running_loss, np.float64), "epochs": observer.epochs}


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Loss and metrics over these rows by the model's own evaluate; a metric of several numbers by their mean."""
    return _plain_logs(program.model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True))


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch that fit would train on, without training."""
    _count_epoch(program, x, batch_size)
    if program.batches is None:
        _fit_without_training(program, x, y, batch_size, epochs, see)
    else:
        _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
    """Give the optimizer's settings other values, then return them all with their precision.

    The learning rate is the one that the next step would use.
    """
    optimizer = program.model.optimizer
    if values:
        left_alone = ("learning_rate",) if _schedulers(program) else ()
        _keras_optimizers.set_settings(optimizer, {n: v for n, v in values.items() if n not in left_alone})
    variables = program.model.trainable_variables
    dtype = str(variables[0].dtype) if variables else keras.config.floatx()
    found = _keras_optimizers.settings(optimizer, dtype)
    if _schedulers(program):
        found["learning_rate"]["value"] = _rate_after(program, _epoch_of(program) + 1)
    return found


def _check_fit(options: Dict[str, Any]) -> None:
    taken = [name for name in GIVEN_BY_SAMESTEP if name in options]
    if taken:
        raise ProgramError(
            "keras.Program(model, fit={{…}}) names {}, which samestep gives to fit itself, by its own options and data.\n"
            "Leave it out; rows that are for validation are held back in prepare(x, y) and given as validation_data.".format(
                ", ".join(taken)
            )
        )
    if "sample_weight" in options and not callable(options["sample_weight"]):
        raise ProgramError(
            "fit's sample_weight is an array; fit is also called on parts of the data, whose weights it cannot tell.\n"
            "Give a function of (x, y) that returns a weight for each row: fit={'sample_weight': lambda x, y: …}"
        )


def _check_one(model: Any, what: str) -> None:
    tensors = getattr(model, what, None) or []
    if len(tensors) > 1:
        raise ProgramError(
            "the Keras model {!r} has {} {}: {}.\nCompared are models with one of each: {}.".format(
                model.name, len(tensors), what, ", ".join(t.name for t in tensors), GAPS["several inputs or outputs"]
            )
        )


def _check_precision(model: Any) -> None:
    scaled = hasattr(model.optimizer, "inner_optimizer")
    odd = [v for v in model.trainable_variables if str(v.dtype) not in ("float32", "float64")]
    if scaled or odd:
        raise ProgramError(
            "the Keras model {!r} trains with {}.\nCompared are models whose {}.".format(
                model.name,
                "a scaled loss ({})".format(type(model.optimizer).__name__) if scaled else str(odd[0].dtype),
                GAPS["half precision"],
            )
        )


def _versions() -> Dict[str, str]:
    import tensorflow

    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}


def _name(loss: Any) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))


def _entry(name: str, variable: Any) -> Dict[str, Any]:
    return {"name": name, "shape": list(variable.shape), "dtype": str(variable.dtype)}


def _by_name(variables: Any) -> Dict[str, Any]:
    named: Dict[str, Any] = {}
    for variable in variables:
        named[_free_name(variable.path, named)] = variable
    return named


def _free_name(name: str, taken: Dict[str, Any]) -> str:
    free, count = name, 2
    while free in taken:
        free, count = "{}#{}".format(name, count), count + 1
    return free


def _parameters(model: Any) -> Dict[str, Any]:
    return _by_name(model.trainable_variables)


def _buffers(model: Any) -> Dict[str, Any]:
    return _by_name(model.non_trainable_weights)


def _slots(model: Any) -> Dict[str, Any]:
    return _keras_optimizers.slots(model.optimizer, _parameters(model))


def _variables(model: Any) -> Dict[str, Dict[str, Any]]:
    """All variables, by the groups of a state."""
    groups = {
        "parameters": _parameters(model),
        "buffers": _buffers(model),
        "slots": _slots(model),
        "counters": {"step": _keras_optimizers.counter(model.optimizer)},
        "generators": _generators(model),
    }
    known = {id(v) for variables in groups.values() for v in variables.values()}
    everything = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    groups["private"] = _by_name({id(v): v for v in everything if id(v) not in known}.values())
    return groups


def _generators(model: Any) -> Dict[str, Any]:
    """States of the layers' seed generators, in order, and of Keras's global one: all variables but weights and metrics."""
    others = {id(v) for v in (*model.weights, *model.metrics_variables)}
    return _by_name([*(v for v in model.variables if id(v) not in others), _global_generator().state])


def _global_generator() -> Any:
    """The seed generator of random layers and operations that name none: keras/src/random/seed_generator.py."""
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator()


def _make_global_generator() -> None:
    """Keras makes it at first use and draws its seed from Python's random, where the program's next draw must not miss it."""
    before = random.getstate()
    _global_generator()
    random.setstate(before)


@contextlib.contextmanager
def _attributes(model: Any, **values: Any) -> Iterator[None]:
    """Other values of attributes for the time of the block."""
    before = {name: getattr(model, name) for name in values}
    for name, value in values.items():
        setattr(model, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(model, name, value)


@contextlib.contextmanager
def _as_stretch(model: Any) -> Iterator[None]:
    """For the time of the block fit shows each step, and its end is not the end of training."""
    optimizer = model.optimizer
    optimizer.finalize_variable_values = lambda variables: None
    try:
        with _attributes(model, steps_per_execution=1):
            yield
    finally:
        del optimizer.finalize_variable_values


@contextlib.contextmanager
def _recording_layers(model: Any, seen: Arrays) -> Iterator[None]:
    """Note every layer's float outputs under its name; a layer used again gets #2, #3, …"""
    original = keras.layers.Layer.__call__

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = original(layer, *args, **kwargs)
        if layer is not model:
            for tensor in keras.tree.flatten(outputs):
                if "float" in str(getattr(tensor, "dtype", "")) and hasattr(tensor, "numpy"):
                    seen[_free_name(layer.name, seen)] = tensor.numpy()
        return outputs

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def _weights(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """What fit is told about the weights of these rows."""
    found = {}
    if program.fit.get("class_weight") is not None:
        found["class_weight"] = program.fit["class_weight"]
    if program.fit.get("sample_weight") is not None:
        found["sample_weight"] = np.asarray(
            program.fit["sample_weight"](x, y), x.dtype if x.dtype.kind == "f" else None
        )
    return found


def _fit_options(program: Program, x: np.ndarray, y: np.ndarray, callbacks: List[Any]) -> Dict[str, Any]:
    return dict(program.fit, **dict(_weights(program, x, y), callbacks=callbacks, verbose=0))


def _observed_step(program: Program) -> Any:
    """A function of a batch (x, y, weights) that runs train_step as fit compiles it and returns (logs, gradients)."""
    if program.observed_step is None:
        program.observed_step = _trace_step(program)
    return program.observed_step


def _trace_step(program: Program) -> Any:
    import tensorflow as tf

    from samestep.frameworks import _tensorflow_gradients

    model, forms = program.model, program.gradient_forms
    # within a tf.function of its own, a train_step would keep the noting optimizer for good
    train_step = getattr(model.train_step, "python_function", model.train_step)

    def step(data: Any) -> Tuple[Any, Any]:
        with _tensorflow_gradients.noting(model.optimizer) as given:
            logs = train_step(data)
        whose = "the train_step of {!r}".format(model.name)
        return logs, _tensorflow_gradients.by_name(given, _parameters(model), forms, whose)

    if model.run_eagerly:
        return step
    step = tf.autograph.experimental.do_not_convert(step)  # as Keras does
    return tf.function(step, jit_compile=model.jit_compile, reduce_retracing=True)


def _fit_without_training(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Run fit with a step that only hands each batch to see(epoch, x, y)."""
    model, epoch_now = program.model, keras.callbacks.Callback()
    epoch_now.on_epoch_begin = lambda epoch, logs=None: setattr(epoch_now, "number", epoch)

    def take(iterator: Any) -> Dict[str, float]:
        see(epoch_now.number, *(array(part) for part in next(iterator)[:2]))
        return {"loss": 0.0}

    options = _fit_options(program, x, y, [epoch_now])
    options = {name: value for name, value in options.items() if not name.startswith("validation")}
    metrics = {id(v): (v, array(v)) for v in model.metrics_variables}
    model.get_metrics_result = dict  # a metric that has seen nothing yet may refuse to answer
    try:
        with _as_stretch(model), _attributes(model, train_function=take):
            model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)
    finally:
        del model.get_metrics_result
    for variable, value in metrics.values():
        variable.assign(value)


def _fit_own_batches(
    model: Any,
    batches: Callable[..., Any],
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: range,
    options: Dict[str, Any],
) -> None:
    """Fit epoch by epoch on the program's own batches; shuffling is the pipeline's affair."""
    options = {name: value for name, value in options.items() if name != "shuffle"}
    for number, epoch in enumerate(epochs):
        stream = batches(x, y, batch_size, number)
        model.fit(stream, initial_epoch=epoch, epochs=epoch + 1, **options)
        if model.stop_training:
            return


def _count_epoch(program: Program, x: np.ndarray, batch_size: int) -> None:
    program.steps_per_epoch = max(program.steps_per_epoch, -(-len(x) // batch_size))


def _epoch_of(program: Program) -> int:
    """The epoch that the next step belongs to: all the data is trained on before parts of it are."""
    return int(_keras_optimizers.counter(program.model.optimizer)) // program.steps_per_epoch


def _schedulers(program: Program) -> List[Any]:
    callbacks = program.fit.get("callbacks", ())
    return [c for c in callbacks if isinstance(c, keras.callbacks.LearningRateScheduler)]


def _rate_after(program: Program, epochs: int) -> float:
    """The learning rate once the schedulers have begun this many epochs, each from the rate of the one before."""
    rate = program.first_rate
    for epoch in range(epochs):
        for scheduler in _schedulers(program):
            try:
                rate = float(array(scheduler.schedule(epoch, rate)).astype(keras.config.floatx()))
            except TypeError:  # a schedule of the epoch alone, as Keras allows too
                rate = float(array(scheduler.schedule(epoch)).astype(keras.config.floatx()))
    return rate


def _set_rate_after(program: Program, epochs: int) -> None:
    if _schedulers(program):
        program.model.optimizer.learning_rate = _rate_after(program, epochs)


def _plain_logs(logs: Dict[str, Any]) -> Dict[str, float]:
    return {name: float(np.mean(array(value))) for name, value in _flat(logs).items()}


def _flat(logs: Dict[str, Any]) -> Dict[str, Any]:
    """Logs without nesting, as Keras shows them: {m.name: m.result() for m in model.metrics} nests those of compile."""
    nested = [_flat(value) if isinstance(value, dict) else {name: value} for name, value in logs.items()]
    return {name: value for entry in nested for name, value in entry.items()}


class _Observer(keras.callbacks.Callback):
    """Notes the running loss after each step, and stops after a number of steps."""

    def __init__(self, steps: Optional[int], total: int, watch: Callable[[int, int], None]) -> None:
        super().__init__()
        self.steps, self.total, self.watch = steps, steps or total, watch
        self.running_loss: List[float] = []
        self.epochs: List[Dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        self.running_loss.append(float(array((logs or {}).get("loss", np.nan))))
        done = len(self.running_loss)
        if done % 50 == 0:
            self.watch(done, self.total)
        if done == self.steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        self.epochs.append(_plain_logs({n: v for n, v in (logs or {}).items() if not n.startswith("val_")}))
