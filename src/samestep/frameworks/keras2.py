"""Keras 2.3 itself, the last one that runs on several backends: a compiled model on TensorFlow 1 or Theano, trained by its fit.

Everything is observed through functions of the model's own graph; see _keras2_functions.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional

import keras
import numpy as np
from keras import backend as K  # noqa: N812 - as Keras calls it

from samestep.errors import ProgramError
from samestep.frameworks import _keras2_functions, _keras_fit, _loops, _rows
from samestep.frameworks._keras_fit import attributes
from samestep.frameworks._names import by_name, free_name, named_outputs
from samestep.frameworks._roles import role_of, slot_key

GAPS = {
    "layouts": "weights are described by their shapes alone: order, names and numbers decide what pairs",
    "Keras before 2.3": "its functions are built in another way: pip install keras==2.3.1",
    "the order of writing": "on TensorFlow, Keras 2.3 reads the number of updates while it counts it up, so that Adam and a "
    "decayed learning rate are off by one update now and then; samestep lets all be read first, as is meant",
    "optimizers of tf.train": "a TFOptimizer keeps its slots to itself: use one of keras.optimizers",
    "generators": "states of TensorFlow's random operations cannot be read or written; those of Theano's can",
    "models within models": "of a model that is called as a layer its output is seen, and not its layers' own",
    "callbacks": "what a callback counts by itself is not put back after an observation; of a learning rate that callbacks "
    "set, only LearningRateScheduler's is known at a step that was not trained to",
    "CNTK": "its backend is not observed: KERAS_BACKEND=tensorflow or theano",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]
Rows = _rows.Rows


class Program:
    """A compiled model and how its author calls fit.

    model: a compiled keras.models.Model of Keras 2.3. fit: keyword arguments for its fit (shuffle, callbacks, class_weight,
    validation_data, …); samestep passes shuffle=False unless it is named here. A sample_weight is
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
        self.batches: Any = batches
        self.made: _keras2_functions.Made = []
        self.functions: Dict[Any, Any] = {}
        self.constants: Dict[str, float] = {}  # settings that are numbers in the program's own functions
        self.movable: Dict[str, Any] = {}  # the same as variables, in functions for other values of them
        self.steps_per_epoch = 1  # of the longest stretch of data that it was trained on
        self.first_rate = float("nan")
        _keras_fit.check_options(self.fit, "keras2")


def load(built: Any, x: Rows) -> Program:
    """The program for what build() returned; x: example rows, to build a model that is not built yet."""
    program = built if isinstance(built, Program) else Program(built)
    model = program.model
    _check_supported(model)
    if not model._is_compiled:
        _build(model, x)
    program.constants = {name: value for name, value in _numbers(model.optimizer).items() if not K.is_variable(value)}
    program.made = _keras2_functions.already_made(model.optimizer)
    program.first_rate = float(K.get_value(model.optimizer.learning_rate))
    _training(program)
    return program


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds."""
    model, groups = program.model, _variables(program)
    return {
        "framework": "keras2",
        "versions": {"keras": keras.__version__, K.backend(): sys.modules[K.backend()].__version__},
        "optimizer": type(model.optimizer).__name__,
        "loss": _keras_fit.name_of(model.loss),
        "inputs": [
            {"name": name, "shape": list(K.int_shape(tensor)), "dtype": K.dtype(tensor)}
            for name, tensor in zip(model.input_names, model.inputs)
        ],
        "parameters": [_entry(name, v) for name, v in groups["parameters"].items()],
        "buffers": [_entry(name, v) for name, v in groups["buffers"].items()],
        "slots": [_entry(name, v) for name, v in groups["slots"].items()],
        "generators": [_entry(name, v) for name, v in groups["generators"].items()],
        "lacks": {},
    }


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' shapes and dtypes.

    Groups: parameters (trainable), buffers (other weights, frozen ones among them), slots (by role), counters (``step``:
    updates done), generators (Theano's) and private, which only this program can read back: metrics, the learning rate, and
    NumPy's generator where fit shuffles by it. Where counters are written without private, what follows from the step is set.
    """
    groups = _variables(program)
    values = values or {}
    K.batch_set_value(
        [(groups[g][n], v) for g, entries in values.items() for n, v in entries.items() if n in groups[g]]
    )
    if "counters" in values and "private" not in values:
        _follow(program.model.optimizer, int(values["counters"]["step"]))
    if _SHUFFLING in values.get("private", {}):
        _set_numpy_state(values["private"][_SHUFFLING])
    read = K.batch_get_value([v for variables in groups.values() for v in variables.values()])
    found = iter(np.array(value) for value in read)
    state = {group: {name: next(found) for name in variables} for group, variables in groups.items()}
    if program.fit["shuffle"]:
        state["private"][_SHUFFLING] = _numpy_state()
    return state


def forward(program: Program, x: Rows, training: bool) -> Dict[str, Arrays]:
    """Every layer's float outputs, in the order in which they are computed, and the model's outputs."""
    model = program.model
    if "layers" not in program.functions:
        program.functions["layers"] = _keras2_functions.layers(model)
    names, function = program.functions["layers"]
    values = function(model._standardize_user_data(x)[0] + _keras2_functions.phase(model, training))
    return {
        "activations": {name: np.array(value) for name, value in zip(names, values)},
        "outputs": named_outputs([np.array(value) for value in values[len(names) :]]),
    }


def gradients(program: Program, x: Rows, y: Rows) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update, with weights of the rows as fit would have them."""
    model = program.model
    if "observed" not in program.functions:
        program.functions["observed"] = _keras2_functions.observed(model)
    model.reset_metrics()
    loss, *others = [np.array(value) for value in program.functions["observed"](_fed(program, x, y))]
    names = list(_parameters(model))
    metrics = others[: len(others) - len(names)]
    return {
        "loss": loss,
        "gradients": dict(zip(names, others[len(metrics) :])),
        "metrics": dict(zip(model.metrics_names[1:], metrics)),
    }


def update(program: Program, gradients: Arrays, x: Rows, y: Rows) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    _set_rate_after(program, _keras_fit.epoch_of(program, _updates(program)) + 1)
    function = _function(program, "update", lambda: _keras2_functions.update(program.model, program.made))
    function([gradients[name] for name in _parameters(program.model)])


def train(
    program: Program,
    x: Rows,
    y: Rows,
    batch_size: int,
    epochs: int,
    steps: Optional[int],
    watch: Callable[[int, int], None],
) -> Dict[str, Any]:
    """Train by fit; returns running_loss, float64 (steps,), and the logs of each epoch.

    Epochs are numbered on from the state that training starts in, for the callbacks that go by them.
    """
    _keras_fit.count_epoch(program, x, batch_size)
    observer = _Observer().watch_with(steps, epochs * -(-_rows.count(x) // batch_size), watch)
    stretch = _keras_fit.epochs_from(_keras_fit.epoch_of(program, _updates(program)), epochs, steps)
    weights = _keras_fit.weights(program.fit, x, y)
    options = _keras_fit.options(program, weights, [*program.fit.get("callbacks", ()), observer])
    _set_rate_after(program, stretch.start)  # each epoch goes on from the rate of the one before
    with attributes(program.model, train_function=_training(program)):
        if program.batches is None:
            _keras_fit.fit(program, x, y, batch_size, stretch, options)
        else:
            _fit_own_batches(program, x, y, batch_size, stretch, options)
    return {"running_loss": np.array(observer.running_loss, np.float64), "epochs": observer.epochs}


def evaluate(program: Program, x: Rows, y: Rows, batch_size: int) -> Dict[str, float]:
    """Loss and metrics over these rows by the model's own evaluate; a metric of several numbers by their mean."""
    found = program.model.evaluate(x, y, batch_size=batch_size, verbose=0)
    found = found if isinstance(found, list) else [found]
    return _keras_fit.plain_logs(dict(zip(program.model.metrics_names, found)))


def batches(program: Program, x: Rows, y: Rows, batch_size: int, epochs: int, see: Callable[..., None]) -> None:
    """Call see(epoch, x, y) for each batch that fit would train on, without training."""
    _keras_fit.count_epoch(program, x, batch_size)
    if program.batches is None:
        _fit_without_training(program, x, y, batch_size, epochs, see)
    else:
        _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
    """Give the optimizer's settings other values, then return them all with their precision.

    The learning rate is the one that the next step would use; one that decays or is scheduled is left alone.
    """
    optimizer = program.model.optimizer
    for name, value in (values or {}).items():
        if name in program.constants:
            setattr(optimizer, name, value)
        elif name != "learning_rate" or not (_decays(optimizer) or _keras_fit.schedulers(program)):
            K.set_value(getattr(optimizer, name), value)
    weights = program.model._collected_trainable_weights
    dtype = K.dtype(weights[0]) if weights else K.floatx()
    found = {name: _number(value) for name, value in _numbers(optimizer).items()}
    if _keras_fit.schedulers(program):
        found["learning_rate"] = _keras_fit.rate_after(program, _keras_fit.epoch_of(program, _updates(program)) + 1)
    found["learning_rate"] = _decayed(optimizer, found["learning_rate"])
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(found.items())}


_SHUFFLING = "numpy.random"


class _Observer(_keras_fit.Observing, keras.callbacks.Callback):
    """Keras 2.3 logs the loss of each batch: the running mean over the epoch's rows is taken here, as its BaseLogger does."""

    def on_epoch_begin(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        self.rows, self.total_loss = 0, 0.0

    def updates_done(self) -> int:
        return int(keras.backend.get_value(self.model.optimizer.iterations))

    def loss_now(self, logs: Dict[str, Any]) -> float:
        self.rows += logs["size"]
        self.total_loss += float(logs["loss"]) * logs["size"]
        return self.total_loss / self.rows


def _check_supported(model: Any) -> None:
    version = tuple(int(number) for number in keras.__version__.split(".")[:2])
    if version < (2, 3):
        raise ProgramError("Keras {}: {}.".format(keras.__version__, GAPS["Keras before 2.3"]))
    if K.backend() not in ("tensorflow", "theano"):
        raise ProgramError("Keras runs on {}: {}.".format(K.backend(), GAPS["CNTK"]))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise ProgramError(
            "the Keras model {!r} is not compiled.\nCall model.compile(optimizer=…, loss=…, metrics=[…]) before build() "
            "returns it.".format(model.name)
        )
    if not hasattr(optimizer, "learning_rate"):
        raise ProgramError("{}: {}.".format(type(optimizer).__name__, GAPS["optimizers of tf.train"]))


def _build(model: Any, x: Rows) -> None:
    """Build and compile a model that waits for its first data, as its fit would: engine/training.py, _standardize_user_data."""
    if not model.built:
        model._set_inputs(list(x.values()) if isinstance(x, dict) else x)
    model.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        metrics=model._compile_metrics,
        weighted_metrics=model._compile_weighted_metrics,
        loss_weights=model.loss_weights,
    )


def _training(program: Program) -> Any:
    return _function(program, "training", lambda: _keras2_functions.training(program.model, program.made))


def _function(program: Program, kind: str, make: Callable[[], Any]) -> Any:
    """The function of this kind for the settings as they are: the program's own, or one that reads them from variables."""
    optimizer = program.model.optimizer
    now = {name: getattr(optimizer, name) for name in program.constants}
    if now == program.constants:
        return _made_once(program, kind, make)
    for name, value in now.items():
        if name not in program.movable and name not in CLIPPING:
            program.movable[name] = K.variable(value, name=name)
    K.batch_set_value([(program.movable[name], value) for name, value in now.items() if name in program.movable])
    clipping = tuple(now.get(name) for name in CLIPPING)  # numbers in the graph in any case
    with attributes(optimizer, **program.movable):
        return _made_once(program, (kind, clipping), make)


CLIPPING = ("clipnorm", "clipvalue")


def _made_once(program: Program, key: Any, make: Callable[[], Any]) -> Any:
    if key not in program.functions:
        program.functions[key] = make()
    return program.functions[key]


def _entry(name: str, variable: Any) -> Dict[str, Any]:
    value = K.get_value(variable)
    return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}


def _parameters(model: Any) -> Dict[str, Any]:
    return by_name(model._collected_trainable_weights)


def _buffers(model: Any) -> Dict[str, Any]:
    trained = {id(weight) for weight in model._collected_trainable_weights}
    return by_name(weight for weight in model.weights if id(weight) not in trained)


def _slots(program: Program) -> Dict[str, Any]:
    """What get_updates made for each parameter under a numbered name, such as m_0: keras/optimizers.py."""
    optimizer, found = program.model.optimizer, {}
    parameters = list(_parameters(program.model).items())
    for name, variable in program.made:
        kind, _, number = name.rpartition("_")
        parameter, weight = (
            parameters[int(number)] if number.isdigit() and int(number) < len(parameters) else ("", None)
        )
        if weight is not None and not _is_idle(optimizer, kind):
            found[slot_key(role_of(optimizer, kind), parameter)] = variable
    return found


def _is_idle(optimizer: Any, kind: str) -> bool:
    """A slot that is written and never read: SGD's without momentum, and Adam's third, of one number, without amsgrad."""
    if kind == "vhat":
        return not optimizer.amsgrad
    return kind == "moment" and float(K.get_value(optimizer.momentum)) == 0.0


def _variables(program: Program) -> Dict[str, Dict[str, Any]]:
    """All variables, by the groups of a state."""
    model = program.model
    groups = {
        "parameters": _parameters(model),
        "buffers": _buffers(model),
        "slots": _slots(program),
        "counters": {"step": model.optimizer.iterations},
        "generators": _generators(model),
    }
    known = {id(v) for variables in groups.values() for v in variables.values()}
    held = [model.optimizer.learning_rate, *model.optimizer.weights, *(variable for _, variable in program.made)]
    held += [weight for metric in model._get_training_eval_metrics() for weight in metric.weights]
    held += [
        s
        for layer in model.layers
        if getattr(layer, "stateful", False)
        for s in getattr(layer, "states", ())
        if s is not None
    ]
    groups["private"] = by_name({id(v): v for v in held if K.is_variable(v) and id(v) not in known}.values())
    return groups


def _generators(model: Any) -> Dict[str, Any]:
    """States of Theano's generators that the loss depends on: shared variables with an update of their own."""
    if K.backend() != "theano":
        return {}
    from theano.gof.graph import inputs

    found: Dict[str, Any] = {}
    for variable in inputs([model.total_loss, *model.outputs]):
        if getattr(variable, "default_update", None) is not None:
            found[free_name("generator", found)] = variable
    return found


def _follow(optimizer: Any, step: int) -> None:
    """Set what follows from the number of updates alone: Nadam's product of its momentum schedule, keras/optimizers.py."""
    if hasattr(optimizer, "m_schedule"):
        powers = 0.96 ** (optimizer.schedule_decay * np.arange(1, step + 1, dtype=np.float64))
        K.set_value(optimizer.m_schedule, np.prod(_number(optimizer.beta_1) * (1 - 0.5 * powers)))


def _numpy_state() -> np.ndarray:
    """NumPy's generator, by which fit shuffles, as whole numbers: int64 (627,)."""
    held: Any = np.random.get_state()
    _, keys, place, has_gauss, gauss = held
    return np.concatenate([keys.astype(np.int64), [place, has_gauss], np.array([gauss], np.float64).view(np.int64)])


def _set_numpy_state(held: np.ndarray) -> None:
    gauss = float(held[626:].view(np.float64)[0])
    np.random.set_state(("MT19937", held[:624].astype(np.uint32), int(held[624]), int(held[625]), gauss))


def _numbers(optimizer: Any) -> Dict[str, Any]:
    """{name: variable or number} of its numeric settings; how the learning rate decays is part of the learning rate."""
    config = {n: v for n, v in optimizer.get_config().items() if n not in ("decay", "lr") and not isinstance(v, bool)}
    names = [name for name, value in config.items() if isinstance(value, (int, float))]
    return {name: getattr(optimizer, name) for name in names}


def _number(value: Any) -> float:
    return float(K.get_value(value) if K.is_variable(value) else value)


def _decays(optimizer: Any) -> bool:
    return getattr(optimizer, "initial_decay", 0.0) > 0


def _decayed(optimizer: Any, rate: float) -> float:
    """The learning rate of the next update: keras/optimizers.py, lr * (1 / (1 + decay * iterations))."""
    if not _decays(optimizer):
        return rate
    decay, done = (np.asarray(K.get_value(v), K.floatx()) for v in (optimizer.decay, optimizer.iterations))
    one = np.ones((), K.floatx())
    return float(rate * (one / (one + decay * done)))


def _fed(program: Program, x: Rows, y: Rows) -> List[Any]:
    x, y, weights = program.model._standardize_user_data(x, y, **_keras_fit.weights(program.fit, x, y))
    return x + y + weights + _keras2_functions.phase(program.model, True)


def _fit_without_training(
    program: Program, x: Rows, y: Rows, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Run fit with a step that only hands each batch to see(epoch, x, y)."""
    model, epoch_now = program.model, keras.callbacks.Callback()
    epoch_now.on_epoch_begin = lambda epoch, logs=None: setattr(epoch_now, "number", epoch)

    def take(batch: List[Any]) -> List[float]:
        fed = len(model._feed_inputs)
        x_batch = _as_given(x, model._feed_input_names, batch[:fed])
        see(
            epoch_now.number,
            x_batch,
            _as_given(y, model._feed_output_names, batch[fed : fed + len(model._feed_targets)]),
        )
        return [0.0] * len(model.metrics_names)

    options = _keras_fit.options(program, _keras_fit.weights(program.fit, x, y), [epoch_now])
    options = {name: value for name, value in options.items() if not name.startswith("validation")}
    metrics = [weight for metric in model._get_training_eval_metrics() for weight in metric.weights]
    before = list(zip(metrics, K.batch_get_value(metrics)))
    with _numpy_as_it_is(), attributes(model, train_function=take):
        model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)
    K.batch_set_value(before)


def _as_given(rows: Rows, names: List[str], arrays: List[Any]) -> Rows:
    return dict(zip(names, arrays)) if isinstance(rows, dict) else arrays[0]


@contextlib.contextmanager
def _numpy_as_it_is() -> Iterator[None]:
    before = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(before)


def _fit_own_batches(
    program: Program, x: Rows, y: Rows, batch_size: int, epochs: range, options: Dict[str, Any]
) -> None:
    """Fit epoch by epoch on the program's own batches, made before the epoch since Keras asks for their number."""
    options = {name: value for name, value in options.items() if name not in ("shuffle", "sample_weight")}
    for number, epoch in enumerate(epochs):
        stream = list(program.batches(x, y, batch_size, number))
        program.model.fit_generator(
            iter(stream), steps_per_epoch=len(stream), initial_epoch=epoch, epochs=epoch + 1, workers=0, **options
        )
        if program.model.stop_training:
            return


def _updates(program: Program) -> int:
    return int(K.get_value(program.model.optimizer.iterations))


def _set_rate_after(program: Program, epochs: int) -> None:
    if _keras_fit.schedulers(program):
        K.set_value(program.model.optimizer.learning_rate, _keras_fit.rate_after(program, epochs))
