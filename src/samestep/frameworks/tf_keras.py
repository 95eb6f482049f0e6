"""Keras 2 on TensorFlow 2: a compiled model of tf_keras, or of tf.keras before TensorFlow 2.16, trained by its own fit.

It is observed through the step that fit compiles: tf_keras/src/engine/training.py, make_train_function.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, Callable, Dict, Iterator, List, Optional

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import (
    _keras_fit,
    _keras_layouts,
    _loops,
    _randomness,
    _rows,
    _tensorflow_gradients,
    _tf_keras_optimizers,
)
from samestep.frameworks._keras_fit import attributes
from samestep.frameworks._keras_optimizers import array, noting
from samestep.frameworks._names import by_name, free_name, named_outputs

GAPS = {
    "TensorFlow before 2.2": "its tf.keras has no train_step to observe: use `import keras` 2.3.1 there, or a newer TensorFlow",
    "half precision": "parameters are float32 or float64 (mixed_bfloat16 has such) and no scaled loss (mixed_float16)",
    "clipping": "a model that clips or averages gradients in its own train_step shows them as clipped",
    "generators": "states of tf.random operations, as Dropout uses by default, cannot be read or written; those of a "
    "tf.random.Generator can",
    "callbacks": "what a callback counts by itself is not put back after an observation; of a learning rate that callbacks "
    "set, only LearningRateScheduler's is known at a step that was not trained to",
    "steps_per_execution": "steps are run one at a time, so that each one's loss is seen",
    "the end of fit": "what an optimizer does to the weights when fit ends (use_ema) is left out: samestep trains in stretches",
    "several devices": "a distribution strategy over more than one device is not observed",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]
Rows = _rows.Rows


class Program:
    """A compiled model and how its author calls fit.

    model: a compiled tf_keras.Model. fit: keyword arguments for its fit (shuffle, callbacks, class_weight,
    validation_data, …); samestep passes shuffle=False unless it is named here. A sample_weight is
    a function of (x, y) that returns a weight for each row, (N,), since fit is also called on parts of the
    data. batches(x, y, batch_size, epoch): an input pipeline of the program's own, a generator of (x, y).
    Raises ProgramError for arguments that samestep itself gives to fit.
    """

    def __init__(
        self, model: Any, *, fit: Optional[Dict[str, Any]] = None, batches: Optional[Callable[..., Any]] = None
    ) -> None:
        self.model = model
        self.keras = _library(model)
        self.fit = dict({"shuffle": False}, **(fit or {}))
        self.own_fit = dict(fit or {})
        self.batches = batches
        self.train_functions: Dict[Any, Any] = {}
        self.observed_functions: Dict[int, Any] = {}
        self.updates: Dict[str, Any] = {}
        self.gradient_forms: Dict[str, str] = {}
        self.steps_per_epoch = 1  # of the longest stretch of data that it was trained on
        self.first_rate = float("nan")
        self.parameters: Dict[str, Any] = {}
        self.buffers: Dict[str, Any] = {}
        self.owners: Dict[int, Any] = {}
        _keras_fit.check_options(self.fit, "tf_keras")


def load(built: Any, x: Rows) -> Program:
    """The program for what build() returned; x: example rows, to build a model that is not built yet."""
    program = built if isinstance(built, Program) else Program(built)
    model = program.model
    if not hasattr(model, "train_step"):
        raise ProgramError("TensorFlow {}: {}.".format(tf.__version__, GAPS["TensorFlow before 2.2"]))
    if not getattr(model, "_is_compiled", False):
        raise ProgramError(
            "the Keras model {!r} is not compiled.\nCall model.compile(optimizer=…, loss=…, metrics=[…]) before build() "
            "returns it.".format(model.name)
        )
    _check_one_device(model)
    layers = _layers_in_use(program, x)
    with _as_compiled(model):
        trained = {id(v) for v in model.trainable_variables}
        weights = _in_order_of_use(model, layers)
    program.parameters = by_name(v for v in weights if id(v) in trained)
    program.buffers = by_name(v for v in weights if id(v) not in trained)
    program.owners = {id(v): layer for layer in layers for v in layer.weights}
    _check_precision(program)
    if program.parameters:
        with _as_compiled(model):
            _tf_keras_optimizers.build(model.optimizer, list(model.trainable_variables))
        program.first_rate = _tf_keras_optimizers.learning_rate(model.optimizer)
    return program


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds."""
    model = program.model
    return {
        "framework": "tf_keras",
        "versions": {"tf_keras": program.keras.__version__, "tensorflow": tf.__version__},
        "optimizer": type(model.optimizer).__name__,
        "loss": _keras_fit.name_of(model.loss),
        "inputs": [
            {"name": name, "shape": tensor.shape.as_list(), "dtype": tensor.dtype.name}
            for name, tensor in zip(getattr(model, "input_names", None) or [], getattr(model, "inputs", None) or [])
        ],
        "parameters": _entries(model, program.parameters),
        "buffers": _entries(model, program.buffers),
        "slots": [_entry(name, v) for name, v in _slots(program).items()],
        "generators": [_entry(name, v) for name, v in _generators(model).items()],
        "lacks": {},
    }


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' shapes and dtypes.

    Groups: parameters (trainable), buffers (other weights, frozen ones among them), slots (by role), counters (``step``:
    updates done), generators (states of tf.random.Generators) and private, which only this program can read back: metrics,
    the learning rate. Where counters are written without private, what follows from the step is set.
    """
    groups = _variables(program)
    values = values or {}
    for group, entries in values.items():
        for name, value in entries.items():
            groups[group][name].assign(value)
    if "counters" in values and "private" not in values:
        _tf_keras_optimizers.follow(program.model.optimizer, int(values["counters"]["step"]))
    return {group: {n: array(v) for n, v in variables.items()} for group, variables in groups.items()}


def forward(program: Program, x: Rows, training: bool) -> Dict[str, Arrays]:
    """Every layer's float outputs, in the order in which they are computed, and the model's outputs."""
    seen: Arrays = {}
    if training:
        _randomness.begin(_updates(program))
    with _recording_outputs(program, seen):
        outputs = program.model(_rows.each(tf.convert_to_tensor, x), training=training)
    return {
        "activations": seen,
        "outputs": named_outputs([array(output) for output in tf.nest.flatten(outputs)]),
    }


def gradients(program: Program, x: Rows, y: Rows) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update.

    The model's own train_step runs as fit would run it, on the batch as fit would hand it over (with weights of its rows),
    with the optimizer's apply_gradients only noting what it is given. A gradient that is missing is shown as zeros.
    Raises ProgramError if the step does not give each trainable variable's gradient once.
    """
    model = program.model
    seen: List[Any] = []
    known = program.observed_functions.get(_randomness.version)
    with _observed_step(program), _one_at_a_time(model), attributes(model, train_function=known):
        function = program.observed_functions[_randomness.version] = model.make_train_function()

        def observe(iterator: Any) -> Dict[str, Any]:
            seen.append(function(iterator))
            return {}

        model.train_function = observe
        model.train_on_batch(x, y, return_dict=True, **_keras_fit.weights(program.fit, x, y))
    logs = {name: array(value) for name, value in _keras_fit.flat(seen[0]["logs"]).items()}
    return {
        "loss": logs.pop("loss", np.array(np.nan)),
        "gradients": {name: array(seen[0]["gradients"][name]) for name in program.parameters},
        "metrics": logs,
    }


def update(program: Program, gradients: Arrays, x: Rows, y: Rows) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    _keras_fit.set_rate_after(program, _keras_fit.epoch_of(program, _updates(program)) + 1)
    pairs = _tensorflow_gradients.as_given(gradients, program.parameters, program.gradient_forms)
    optimizer, eager = program.model.optimizer, program.model.run_eagerly
    _tf_keras_optimizers.prepare(optimizer, eager)
    if eager or not _tf_keras_optimizers.differs_compiled(optimizer):
        optimizer.apply_gradients(pairs)
    else:
        _compiled_update(program)(*zip(*pairs))


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
    model = program.model
    _keras_fit.count_epoch(program, x, batch_size)
    observer = _observer(program, steps, epochs * -(-_rows.count(x) // batch_size), watch)
    compiled_for = (_tf_keras_optimizers.constants(model.optimizer), _randomness.version)
    if model.run_eagerly or compiled_for not in program.train_functions:
        _tf_keras_optimizers.prepare(model.optimizer, model.run_eagerly)
    stretch = _keras_fit.epochs_from(_keras_fit.epoch_of(program, _updates(program)), epochs, steps)
    weights = _keras_fit.weights(program.fit, x, y)
    options = _keras_fit.options(program, weights, [*program.fit.get("callbacks", ()), observer])
    _keras_fit.set_rate_after(program, stretch.start)  # each epoch goes on from the rate of the one before
    with _as_stretch(model), _numbered_draws(model), attributes(
        model, train_function=program.train_functions.get(compiled_for)
    ):
        _keras_fit.fit(program, x, y, batch_size, stretch, options)
        program.train_functions[compiled_for] = model.train_function
    return {"running_loss": np.array(observer.running_loss, np.float64), "epochs": observer.epochs}


def evaluate(program: Program, x: Rows, y: Rows, batch_size: int) -> Dict[str, float]:
    """Loss and metrics over these rows by the model's own evaluate; a metric of several numbers by their mean."""
    with _one_at_a_time(program.model):
        callback = type("Numbering", (_keras_fit.Numbering, program.keras.callbacks.Callback), {})()
        options = {"batch_size": batch_size, "verbose": 0, "return_dict": True, "callbacks": [callback]}
        return _keras_fit.plain_logs(program.model.evaluate(x, y, **options))


def batches(program: Program, x: Rows, y: Rows, batch_size: int, epochs: int, see: Callable[..., None]) -> None:
    """Call see(epoch, x, y) for each batch that fit would train on, without training."""
    _keras_fit.count_epoch(program, x, batch_size)
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
        _tf_keras_optimizers.set_settings(optimizer, {n: v for n, v in values.items() if n not in left_alone})
    dtype = next((v.dtype.name for v in program.parameters.values()), program.keras.backend.floatx())
    found = _tf_keras_optimizers.settings(optimizer, dtype)
    if _keras_fit.schedulers(program):
        found["learning_rate"]["value"] = _keras_fit.rate_after(
            program, _keras_fit.epoch_of(program, _updates(program)) + 1
        )
    return found


def _library(model: Any) -> Any:
    """The Keras that a model is of: tf_keras, or TensorFlow's own."""
    roots = [cls.__module__.split(".")[0] for cls in type(model).__mro__ if cls.__name__ == "Model"]
    return importlib.import_module("tf_keras") if roots[:1] == ["tf_keras"] else tf.keras


def _check_one_device(model: Any) -> None:
    count = model.distribute_strategy.num_replicas_in_sync
    if count > 1:
        raise ProgramError(
            "the Keras model {!r} is trained by {} on {} devices: {}.\nBuild it outside of the strategy's scope.".format(
                model.name, type(model.distribute_strategy).__name__, count, GAPS["several devices"]
            )
        )


def _check_precision(program: Program) -> None:
    optimizer = program.model.optimizer
    scaled = hasattr(optimizer, "inner_optimizer")
    odd = [v for v in program.parameters.values() if v.dtype.name not in ("float32", "float64")]
    if scaled or odd:
        raise ProgramError(
            "the Keras model {!r} trains with {}.\nCompared are models whose {}.".format(
                program.model.name,
                "a scaled loss ({})".format(type(optimizer).__name__) if scaled else odd[0].dtype.name,
                GAPS["half precision"],
            )
        )


@contextlib.contextmanager
def _as_compiled(model: Any) -> Iterator[None]:
    """For the time of the block layers are trainable as they were at compile, by which fit goes."""
    now = model._get_trainable_state()
    model._set_trainable_state(model._compiled_trainable_state)
    try:
        yield
    finally:
        model._set_trainable_state(now)


def _layers_in_use(program: Program, x: Rows) -> List[Any]:
    """Layers in the order in which they are called. The model is traced, so that nothing is drawn and nothing changes."""
    seen: List[Any] = []
    model = program.model

    def spec(array: np.ndarray) -> Any:
        return tf.TensorSpec([None, *array.shape[1:]], array.dtype)

    with _watching_calls(program, lambda layer, outputs: seen.append(layer)):
        tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(_rows.each(spec, x))
    return [layer for i, layer in enumerate(seen) if not any(layer is other for other in seen[:i])]


def _in_order_of_use(model: Any, layers: List[Any]) -> List[Any]:
    """The model's weights, those of the layers first used first; unused ones last."""
    found = {id(v): v for layer in layers if layer is not model for v in layer.weights}
    found.update((id(v), v) for v in model.weights if id(v) not in found)
    held = {id(v) for v in model.weights}
    return [v for key, v in found.items() if key in held]


@contextlib.contextmanager
def _watching_calls(program: Program, see: Callable[[Any, Any], None]) -> Iterator[None]:
    """Call see(layer, outputs) after each call of a layer."""
    base = program.keras.layers.Layer
    original = base.__call__

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = original(layer, *args, **kwargs)
        see(layer, outputs)
        return outputs

    base.__call__ = call
    try:
        yield
    finally:
        base.__call__ = original


@contextlib.contextmanager
def _recording_outputs(program: Program, seen: Arrays) -> Iterator[None]:
    """Note every layer's float outputs under its name; a layer used again gets #2, #3, …"""

    def see(layer: Any, outputs: Any) -> None:
        if layer is not program.model:
            for tensor in tf.nest.flatten(outputs):
                if getattr(getattr(tensor, "dtype", None), "is_floating", False) and hasattr(tensor, "numpy"):
                    seen[free_name(layer.name, seen)] = tensor.numpy()

    with _watching_calls(program, see):
        yield


def _entries(model: Any, variables: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Descriptions of variables by name, with layer and layout where they are known."""
    layers = list(model._flatten_layers())
    names: Dict[str, Any] = {}
    for layer in layers:
        names[free_name(layer.name, names)] = layer
    named = {id(layer): name for name, layer in names.items()}
    known = _keras_layouts.layouts(layers, _own_weights)
    described = [(_entry(name, v), known.get(id(v))) for name, v in variables.items()]
    return [dict(e, layer=named[id(found[0])], layout=found[1]) if found else e for e, found in described]


def _own_weights(layer: Any) -> Dict[str, Any]:
    """{name within the layer: variable}; Keras 2 names a variable by its path, as in "dense/kernel:0"."""
    own = (*layer._trainable_weights, *layer._non_trainable_weights)
    return {variable.name.split("/")[-1].partition(":")[0]: variable for variable in own}


def _entry(name: str, variable: Any) -> Dict[str, Any]:
    return {"name": name, "shape": variable.shape.as_list(), "dtype": variable.dtype.name}


def _slots(program: Program) -> Dict[str, Any]:
    return _tf_keras_optimizers.slots(program.model.optimizer, program.parameters) if program.parameters else {}


def _variables(program: Program) -> Dict[str, Dict[str, Any]]:
    """All variables, by the groups of a state."""
    model = program.model
    groups = {
        "parameters": program.parameters,
        "buffers": program.buffers,
        "slots": _slots(program),
        "counters": {"step": model.optimizer.iterations},
        "generators": _generators(model),
    }
    known = {id(v) for variables in groups.values() for v in variables.values()}
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    everything = {id(v): v for v in (*model.variables, *_tf_keras_optimizers.variables(model.optimizer), *metrics)}
    groups["private"] = by_name(v for key, v in everything.items() if key not in known)
    return groups


def _generators(model: Any) -> Dict[str, Any]:
    """States of the tf.random.Generators of its layers, by the layers' names."""
    found: Dict[str, Any] = {}
    for layer in model._flatten_layers():
        generator = getattr(getattr(layer, "_random_generator", None), "_generator", None)
        if generator is not None:
            found[free_name(layer.name + "/generator", found)] = generator.state
    return found


@contextlib.contextmanager
def _one_at_a_time(model: Any) -> Iterator[None]:
    """For the time of the block fit and evaluate run one step a call."""
    several = getattr(model, "_steps_per_execution", None)
    tuned = getattr(model, "_autotune_steps_per_execution", None)
    before = None if several is None else array(several)
    if several is not None:
        several.assign(1)
    if tuned:
        model._autotune_steps_per_execution = False
    try:
        yield
    finally:
        if several is not None:
            several.assign(before)
        if tuned:
            model._autotune_steps_per_execution = tuned


@contextlib.contextmanager
def _as_stretch(model: Any) -> Iterator[None]:
    """For the time of the block fit shows each step, and its end is not the end of training."""
    ending = {"finalize_variable_values": lambda variables: None} if _ends_with_values(model.optimizer) else {}
    with _one_at_a_time(model), attributes(model.optimizer, **ending):
        yield


def _ends_with_values(optimizer: Any) -> bool:
    return hasattr(type(optimizer), "finalize_variable_values")


@contextlib.contextmanager
def _numbered_draws(model: Any) -> Iterator[None]:
    """For the time of the block a traced train_step numbers its random draws by the updates done."""
    original = model.train_step

    def train_step(data: Any) -> Any:
        _randomness.begin(model.optimizer.iterations)
        return original(data)

    with attributes(model, train_step=train_step):
        yield


@contextlib.contextmanager
def _observed_step(program: Program) -> Iterator[None]:
    """For the time of the block train_step returns its logs and gradients, and updates nothing but metrics and buffers."""
    model, forms = program.model, program.gradient_forms
    # within a tf.function of its own, a train_step would keep the noting optimizer for good
    original = getattr(model.train_step, "python_function", model.train_step)

    def train_step(data: Any) -> Dict[str, Any]:
        _randomness.begin(model.optimizer.iterations)
        with noting(model.optimizer) as given:
            logs = original(data)
        whose = "the train_step of {!r}".format(model.name)
        return {"logs": logs, "gradients": _tensorflow_gradients.by_name(given, program.parameters, forms, whose)}

    with attributes(model, train_step=train_step):
        yield


def _compiled_update(program: Program) -> Callable[..., Any]:
    """A function of gradients and their variables."""
    optimizer = program.model.optimizer
    constants = _tf_keras_optimizers.constants(optimizer)
    if constants not in program.updates:
        program.updates[constants] = tf.function(
            lambda given, known: optimizer.apply_gradients(list(zip(given, known)))
        )
    return program.updates[constants]


def _fit_without_training(
    program: Program, x: Rows, y: Rows, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Run fit with a step that only hands each batch to see(epoch, x, y)."""
    model, epoch_now = program.model, program.keras.callbacks.Callback()
    epoch_now.on_epoch_begin = lambda epoch, logs=None: setattr(epoch_now, "number", epoch)

    def take(iterator: Any) -> Dict[str, float]:
        see(epoch_now.number, *(_rows.each(array, part) for part in next(iterator)[:2]))
        return {"loss": 0.0}

    options = _keras_fit.options(program, _keras_fit.weights(program.fit, x, y), [epoch_now])
    options = {name: value for name, value in options.items() if not name.startswith("validation")}
    metrics = [(v, array(v)) for metric in model.metrics for v in metric.variables]
    # a metric that has seen nothing yet may refuse to answer
    with _as_stretch(model), attributes(model, train_function=take, get_metrics_result=dict):
        model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)
    for variable, value in metrics:
        variable.assign(value)


def _updates(program: Program) -> int:
    return int(array(program.model.optimizer.iterations))


def _observer(program: Program, steps: Optional[int], total: int, watch: Callable[[int, int], None]) -> Any:
    kind = type("Observer", (_keras_fit.Observing, program.keras.callbacks.Callback), {})
    return kind().watch_with(steps, total, watch)
