"""Keras 3: a compiled model, trained by its own fit, on the TensorFlow, JAX or PyTorch backend.

Observed is the step that fit runs: the model's train_step, compiled as fit compiles it. What each backend's trainer
does in its own way is in `_keras_tensorflow`, `_keras_jax` and `_keras_torch`, the same functions in each.
"""

from __future__ import annotations

import contextlib
import importlib
import random
from typing import Any, Callable, Dict, Iterator, List, Optional

import keras
import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _keras_fit, _keras_layers, _keras_optimizers, _loops, _randomness, _rows
from samestep.frameworks._keras_fit import attributes
from samestep.frameworks._keras_optimizers import array
from samestep.frameworks._names import free_name, named_outputs

GAPS = {
    "backends": "Keras's NumPy and OpenVINO backends do not train: KERAS_BACKEND is tensorflow, jax or torch",
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
BACKENDS = ("tensorflow", "jax", "torch")


class Program:
    """A compiled model and how its author calls fit.

    model: a compiled keras.Model. fit: keyword arguments for its fit (shuffle, callbacks,
    class_weight, validation_data, …); samestep passes shuffle=False unless it is named here. A sample_weight is
    a function of (x, y) that returns a weight for each row, (N,), since fit is also called on parts of the
    data. batches(x, y, batch_size, epoch): an input pipeline of the program's own, a generator of (x, y).
    Raises ProgramError for arguments that samestep itself gives to fit.
    """

    def __init__(
        self, model: Any, *, fit: Optional[Dict[str, Any]] = None, batches: Optional[Callable[..., Any]] = None
    ) -> None:
        self.model = model
        self.keras = keras
        self.fit = dict({"shuffle": False}, **(fit or {}))
        self.own_fit = dict(fit or {})
        self.batches = batches
        self.compiled: Dict[Any, Any] = {}  # by what it is for, and the settings that it holds as constants
        self.gradient_forms: Dict[str, str] = {}
        self.steps_per_epoch = 1  # of the longest stretch of data that it was trained on
        self.first_rate = float("nan")
        self.begun = False
        self.calls: Dict[int, int] = {}  # the order in which layers are called
        _keras_fit.check_options(self.fit, "keras")


def load(built: Any, x: np.ndarray) -> Program:
    """The program for what build() returned; x: example rows, to build a model that is not built yet."""
    program = built if isinstance(built, Program) else Program(built)
    model = program.model
    if keras.backend.backend() not in BACKENDS:
        raise ProgramError("Keras runs on {}. {}".format(keras.backend.backend(), GAPS["backends"]))
    if not model.compiled:
        raise ProgramError(
            "the Keras model {!r} is not compiled.\nCall model.compile(optimizer=…, loss=…, metrics=[…]) before build() "
            "returns it.".format(model.name)
        )
    wrong = _wrong_names(model, "input", x)
    if wrong:
        raise ProgramError(wrong)
    if not model.built:
        model(_keras_layers.symbolic(x))
    _check_precision(model)
    if model.trainable_variables and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _make_global_generator()
    with _undrawn(program):
        program.calls = _keras_layers.order_of_calls(model, x)
    program.first_rate = float(array(model.optimizer.learning_rate))
    return program


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds."""
    model = program.model
    return {
        "framework": "keras",
        "versions": dict({"keras": keras.__version__}, **_backend().VERSIONS),
        "optimizer": type(model.optimizer).__name__,
        "loss": _keras_fit.name_of(model.loss),
        "inputs": [
            {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}
            for tensor in getattr(model, "inputs", None) or []
        ],
        "parameters": _keras_layers.entries(model, _parameters(model), program.calls),
        "buffers": _keras_layers.entries(model, _buffers(model), program.calls),
        "slots": [_keras_layers.entry(key, v) for key, v in _slots(model).items()],
        "generators": [_keras_layers.entry(name, v) for name, v in _generators(model).items()],
        "lacks": {},
    }


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' shapes and dtypes.

    Groups: parameters (trainable), buffers (other weights, frozen ones among them), slots (by role), counters (``step``:
    updates done), generators (states of seed generators) and private, which only this program can read back: metrics,
    the learning rate. Where counters are written without private, what follows from the step is set.
    """
    groups = _variables(program)
    values = values or {}
    for group, entries in values.items():
        for name, value in entries.items():
            groups[group][name].assign(np.array(value))  # its own: JAX may keep the memory
    if "counters" in values and "private" not in values:
        program.begun = int(values["counters"]["step"]) > 0
        _keras_optimizers.follow(program.model.optimizer, int(values["counters"]["step"]))
    return {group: {n: array(v) for n, v in variables.items()} for group, variables in groups.items()}


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """Every layer's float outputs, in the order in which they are computed, and the model's output."""
    seen: Arrays = {}
    _randomness.begin(_updates(program) if training else _randomness.INFERENCE)
    with _backend().mode(program.model, training), _keras_layers.recording(program.model, _backend().values, seen):
        outputs = program.model(x, training=training)
    named = named_outputs([array(output) for output in keras.tree.flatten(outputs)])
    return {"activations": seen, "outputs": named}


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update.

    The model's own train_step runs as fit would run it, on the batch as fit would hand it over (with weights of its rows),
    with the optimizer's apply in its place noting what it is given. A gradient that is missing is shown as zeros.
    Raises ProgramError if the step does not give each trainable variable's gradient once.
    """
    model, step = program.model, _compiled(program, "observed_step")
    seen: List[Any] = []
    _randomness.begin(_updates(program))

    def observe(batch: Any) -> Dict[str, Any]:
        *data, weights = batch
        seen.append(step(tuple(data) if weights is None else batch))  # as fit does
        return {}

    with _targets_named(model, y), attributes(model, train_function=_backend().looking(observe)), _backend().mode(
        model, True
    ):
        model.train_on_batch(x, y, return_dict=True, **_weights(program, x, y))
    logs, given = seen[0]
    logs = {name: array(value) for name, value in _keras_fit.flat(logs).items()}
    return {
        "loss": logs.pop("loss", np.array(np.nan)),
        "gradients": {name: array(given[name]) for name in _parameters(model)},
        "metrics": logs,
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    _keras_fit.set_rate_after(program, _keras_fit.epoch_of(program, _updates(program)) + 1)
    _compiled(program, "updater")(gradients)


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
    _keras_fit.count_epoch(program, x, batch_size)
    observer = _Observer().watch_with(steps, epochs * -(-_rows.count(x) // batch_size), watch)
    stretch = _keras_fit.epochs_from(_keras_fit.epoch_of(program, _updates(program)), epochs, steps)
    options = _keras_fit.options(program, _weights(program, x, y), [*program.fit.get("callbacks", ()), observer])
    _keras_fit.set_rate_after(program, stretch.start)  # each epoch goes on from the rate of the one before
    with _targets_named(model, y), _as_stretch(program), _compiled_for_its_settings(program):
        _keras_fit.fit(program, x, y, batch_size, stretch, options)
    return {"running_loss": np.array(observer.running_loss, np.float64), "epochs": observer.epochs}


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Loss and metrics over these rows by the model's own evaluate; a metric of several numbers by their mean."""
    with _targets_named(program.model, y):
        options = {"batch_size": batch_size, "verbose": 0, "return_dict": True, "callbacks": [_Observer()]}
        return _plain_logs(program.model.evaluate(x, y, **options))


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch that fit would train on, without training; what it draws is undone."""
    _keras_fit.count_epoch(program, x, batch_size)
    with _targets_named(program.model, y), _undrawn(program):
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
        left_alone = ("learning_rate",) if _keras_fit.schedulers(program) else ()
        _keras_optimizers.set_settings(optimizer, {n: v for n, v in values.items() if n not in left_alone})
    variables = program.model.trainable_variables
    dtype = str(variables[0].dtype) if variables else keras.config.floatx()
    found = _keras_optimizers.settings(optimizer, dtype)
    if _keras_fit.schedulers(program):
        found["learning_rate"]["value"] = _keras_fit.rate_after(
            program, _keras_fit.epoch_of(program, _updates(program)) + 1
        )
    return found


def _backend() -> Any:
    """What the trainer of this process's backend does in its own way."""
    return importlib.import_module("samestep.frameworks._keras_" + keras.backend.backend())


def _compiled(program: Program, what: str) -> Any:
    """The backend's function of this name for the program, made anew where it would hold other settings as constants."""
    key = what, _keras_optimizers.constants(program.model.optimizer)
    if key not in program.compiled:
        make = getattr(_backend(), what)
        program.compiled[key] = make(program.model, _parameters(program.model), program.gradient_forms)
    return program.compiled[key]


@contextlib.contextmanager
def _compiled_for_its_settings(program: Program) -> Iterator[None]:
    """For the time of the block fit runs a train function that was compiled with the settings of now."""
    model, key = program.model, ("train_function", _keras_optimizers.constants(program.model.optimizer))
    with attributes(model, train_function=program.compiled.get(key), train_step=_backend().train_step(model)):
        yield
        program.compiled[key] = model.train_function


def _wrong_names(model: Any, what: str, rows: Any) -> str:
    """Why these rows do not hold the model's inputs ("input") or targets ("output") by name, or nothing."""
    names = _names(model, what)
    missing = [name for name in names if not isinstance(rows, dict) or name not in rows]
    if not missing or (len(names) == 1 and not isinstance(rows, dict)):
        return ""
    letter = "x" if what == "input" else "y"
    given = "has " + ", ".join(sorted(rows)) if isinstance(rows, dict) else "is one array"
    return (
        "the Keras model {!r} has the {}s {}, and {} {}.\nGive an array for each by its name: prepare(x, y) may return a dict "
        "{{name: array}}, and a data file may hold {}_NAME for each.".format(
            model.name, what, ", ".join(names), letter, given, letter
        )
    )


def _names(model: Any, what: str) -> List[str]:
    """Names of a model's inputs or outputs; none where it was not made of tensors, as a subclass is."""
    structure = getattr(model, "_{}s_struct".format(what), None)
    if isinstance(structure, dict):
        return list(structure)
    if what == "output":
        return list(getattr(model, "output_names", None) or [])
    return [tensor.name for tensor in getattr(model, "inputs", None) or []]


@contextlib.contextmanager
def _targets_named(model: Any, y: Any) -> Iterator[None]:
    """What Keras raises within the block is told by the names of targets, where y lacks some.

    Not all need be there: a loss may leave outputs out, and a train_step of the author's own may do as it likes.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        wrong = _wrong_names(model, "output", y)
        if wrong:
            raise ProgramError(wrong) from error
        raise


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


def _by_name(variables: Any) -> Dict[str, Any]:
    named: Dict[str, Any] = {}
    for variable in variables:
        named[free_name(variable.path, named)] = variable
    return named


def _parameters(model: Any) -> Dict[str, Any]:
    return _by_name(model.trainable_variables)


def _buffers(model: Any) -> Dict[str, Any]:
    return _by_name(model.non_trainable_weights)


def _slots(model: Any) -> Dict[str, Any]:
    return _keras_optimizers.slots(model.optimizer, _parameters(model))


def _variables(program: Program) -> Dict[str, Dict[str, Any]]:
    """All variables, by the groups of a state."""
    model = program.model
    groups = {
        "parameters": _parameters(model),
        "buffers": _buffers(model),
        "slots": _slots(model),
        "counters": {"step": _keras_optimizers.counter(model.optimizer)},
        "generators": _generators(model),
    }
    known = {id(v) for variables in groups.values() for v in variables.values()}
    everything = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    everything += [_Begun(program)] if _backend().generators() else []
    groups["private"] = _by_name({id(v): v for v in everything if id(v) not in known}.values())
    return groups


def _generators(model: Any) -> Dict[str, Any]:
    """States of the layers' seed generators, in order, and of Keras's global one: all variables but weights and metrics."""
    others = {id(v) for v in (*model.weights, *model.metrics_variables)}
    own = [v for v in model.variables if id(v) not in others]
    return _by_name([*own, _global_generator().state, *_backend().generators()])


def _global_generator() -> Any:
    """The seed generator of random layers and operations that name none: keras/src/random/seed_generator.py."""
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator()


def _make_global_generator() -> None:
    """Keras makes it at first use and draws its seed from Python's random, where the program's next draw must not miss it."""
    before = random.getstate()
    _global_generator()
    random.setstate(before)


class _Begun:
    """Whether the program's first fit has begun, as a variable: () bool."""

    path, shape, dtype = "begun", (), "bool"

    def __init__(self, program: Program) -> None:
        self.program = program

    def numpy(self) -> np.ndarray:
        return np.array(self.program.begun)

    def assign(self, value: np.ndarray) -> None:
        self.program.begun = bool(value)


@contextlib.contextmanager
def _undrawn(program: Program) -> Iterator[None]:
    """Global generators are put back after the block."""
    before = [(generator, array(generator)) for generator in (*_backend().generators(), _Begun(program))]
    python = random.getstate()
    try:
        yield
    finally:
        random.setstate(python)
        for generator, value in before:
            generator.assign(value)


def _symbolic_build(program: Program) -> Callable[..., None]:
    """The model's own _symbolic_build for fit, whatever was observed before.

    A first fit shuffles the rows once for a look at what to build, keras/src/trainers/trainer.py. An observation before it
    leaves nothing to build, and the rows would come in another order than in a training that was not observed.
    """
    own = program.model._symbolic_build

    def build(iterator: Any = None, data_batch: Any = None) -> None:
        before = [array(generator) for generator in _backend().generators()]
        own(iterator=iterator, data_batch=data_batch)
        after = [array(generator) for generator in _backend().generators()]
        if before and not program.begun and all(np.array_equal(one, other) for one, other in zip(before, after)):
            _, _, data = next(iter(iterator))
            next(iter(data))
        program.begun = True

    return build


@contextlib.contextmanager
def _as_stretch(program: Program) -> Iterator[None]:
    """For the time of the block fit shows each step, and its end is not the end of training."""
    optimizer = program.model.optimizer
    instead: Dict[str, Any] = {"steps_per_execution": 1}
    if program.batches is None:
        instead["_symbolic_build"] = _symbolic_build(program)
    optimizer.finalize_variable_values = lambda variables: None
    try:
        with attributes(program.model, **instead):
            yield
    finally:
        del optimizer.finalize_variable_values


def _weights(program: Program, x: Any, y: Any) -> Dict[str, Any]:
    """What fit is told about the weights of these rows; those of one array hold for each of several outputs."""
    found = _keras_fit.weights(program.fit, x, y)
    if "sample_weight" not in found or not isinstance(y, dict):
        return found
    if isinstance(getattr(program.model, "_outputs_struct", None), (list, tuple)):
        raise ProgramError(
            "Keras takes weights of rows, with targets by name, of a model whose outputs are a dict.\n"
            "Give the model its outputs by name: keras.Model(inputs, {{{}}})".format(
                ", ".join("{!r}: …".format(name) for name in _names(program.model, "output"))
            )
        )
    if not isinstance(found["sample_weight"], dict):
        found["sample_weight"] = dict.fromkeys(y, found["sample_weight"])
    return found


def _fit_without_training(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Run fit with a step that only hands each batch to see(epoch, x, y)."""
    model, epoch_now = program.model, keras.callbacks.Callback()
    epoch_now.on_epoch_begin = lambda epoch, logs=None: setattr(epoch_now, "number", epoch)

    def look(batch: Any) -> Dict[str, float]:
        see(epoch_now.number, *(_rows.each(array, part) for part in batch[:2]))
        return {"loss": 0.0}

    options = _keras_fit.options(program, _weights(program, x, y), [epoch_now])
    options = {name: value for name, value in options.items() if not name.startswith("validation")}
    metrics = {id(v): (v, array(v)) for v in model.metrics_variables}
    model.get_metrics_result = dict  # a metric that has seen nothing yet may refuse to answer
    try:
        with _as_stretch(program), attributes(model, train_function=_backend().looking(look)):
            model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)
    finally:
        del model.get_metrics_result
    for variable, value in metrics.values():
        variable.assign(value)


def _updates(program: Program) -> int:
    return int(_keras_optimizers.counter(program.model.optimizer))


def _plain_logs(logs: Dict[str, Any]) -> Dict[str, float]:
    return _keras_fit.plain_logs({name: array(value) for name, value in _keras_fit.flat(logs).items()})


class _Observer(_keras_fit.Observing, keras.callbacks.Callback):
    """Notes the running loss after each step, and stops after a number of steps."""
