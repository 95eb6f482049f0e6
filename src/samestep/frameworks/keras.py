"""Keras 3: a compiled model, trained by its own fit.

The TensorFlow backend is observed through the compiled step that fit runs (its train_step, traced as
fit traces it), since Keras computes some losses otherwise when traced than when run eagerly:
keras/src/backend/tensorflow/nn.py, _get_logits.
"""

import contextlib

import keras
import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _keras_optimizers

GAPS = {
    "backends": "the JAX and PyTorch backends of Keras are not observed yet: KERAS_BACKEND=tensorflow",
    "clipping": "a model that clips or averages gradients in its own train_step shows them as clipped",
}
"""What this adapter cannot observe, and why."""


class Program:
    """A compiled model and how its author calls fit.

    model: a compiled keras.Model. fit: keyword arguments for its fit (shuffle, callbacks, …);
    samestep passes shuffle=False unless it is named here. batches(x, y, batch_size, epoch): an
    input pipeline of the program's own, a generator of (x, y).
    """

    def __init__(self, model, *, fit=None, batches=None):
        self.model = model
        self.fit = dict({"shuffle": False}, **(fit or {}))
        self.batches = batches
        self.observed_step = None
        self.train_functions = {}


def load(built, x):
    """The program for what build() returned; x: an example batch, to build a model that is not built yet."""
    program = built if isinstance(built, Program) else Program(built)
    model = program.model
    if keras.backend.backend() != "tensorflow":
        raise ProgramError("Keras runs on {}. {}".format(keras.backend.backend(), GAPS["backends"]))
    if not model.compiled:
        raise ProgramError(
            "the Keras model {!r} is not compiled.\nCall model.compile(optimizer=…, loss=…, metrics=[…]) before build() "
            "returns it.".format(model.name)
        )
    if not model.built:
        model(x[:1])
    if model.trainable_variables and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return program


def describe(program):
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
        "lacks": {},
    }


def state(program, values=None):
    """Write the given values, then return all that a step reads and writes, as arrays.

    Groups: parameters, buffers, slots (by role), counters (``step``: updates done) and private,
    which only this program can read back: generators, metrics, the learning rate.
    """
    model = program.model
    groups = {
        "parameters": _parameters(model),
        "buffers": _buffers(model),
        "slots": _slots(model),
        "counters": {"step": model.optimizer.iterations},
    }
    groups["private"] = _others(model, groups)
    for group, entries in (values or {}).items():
        for name, value in entries.items():
            groups[group][name].assign(value)
    return {group: {n: np.array(v) for n, v in variables.items()} for group, variables in groups.items()}


def forward(program, x, training):
    """Every layer's output, in the order in which they are computed, and the model's outputs."""
    seen = {}
    with _recording_layers(program.model, seen):
        outputs = program.model(x, training=training)
    named = {
        "output" if i == 0 else "output_{}".format(i): np.array(o) for i, o in enumerate(keras.tree.flatten(outputs))
    }
    return {"activations": seen, "outputs": named}


def gradients(program, x, y):
    """Loss, gradients and metrics of one training step, without its update.

    The model's own train_step runs as fit would run it, with the optimizer's apply in its place
    noting what it is given.
    """
    model = program.model
    model.reset_metrics()
    logs, given = _observed_step(program)((x, y))
    parameters = _parameters(model)
    if len(given) != len(parameters):
        raise ProgramError(
            "the train_step of {!r} gave {} gradients to model.optimizer, which has {} parameters.\nOnly a train_step that "
            "calls self.optimizer.apply once is observed.".format(model.name, len(given), len(parameters))
        )
    logs = {name: np.array(value) for name, value in logs.items()}
    return {
        "loss": logs.pop("loss", np.array(np.nan)),
        "gradients": {name: np.array(g) for name, g in zip(parameters, given)},
        "metrics": logs,
    }


def update(program, gradients, x, y):
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    parameters = _parameters(program.model)
    given = [keras.ops.convert_to_tensor(gradients[name]) for name in parameters]
    program.model.optimizer.apply(given, list(parameters.values()))


def train(program, x, y, batch_size, epochs, steps, watch):
    """Train by fit; returns running_loss, float64 (steps,), and the logs of each epoch."""
    observer = _Observer(steps, epochs * -(-len(x) // batch_size), watch)
    compiled_for = str(settings(program))  # settings are constants in the compiled step
    program.model.train_function = program.train_functions.get(compiled_for)
    options = dict(program.fit, callbacks=[*program.fit.get("callbacks", ()), observer], verbose=0)
    epochs = epochs if steps is None else max(epochs, steps)
    if program.batches is None:
        program.model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)
    else:
        _fit_own_batches(program, x, y, batch_size, epochs, observer, options)
    program.train_functions[compiled_for] = program.model.train_function
    return {"running_loss": np.array(observer.running_loss, np.float64), "epochs": observer.epochs}


def evaluate(program, x, y, batch_size):
    """Loss and metrics over these rows by the model's own evaluate."""
    logs = program.model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


def batches(program, x, y, batch_size, epochs, see):
    """Call see(epoch, x, y) for each batch that fit would train on, without training."""
    if program.batches is not None:
        for epoch in range(epochs):
            for x_batch, y_batch in program.batches(x, y, batch_size, epoch):
                see(epoch, x_batch, y_batch)
        return
    counter = keras.callbacks.Callback()
    options = dict(program.fit, callbacks=[counter], verbose=0)
    epoch_now = [0]
    counter.on_epoch_begin = lambda epoch, logs=None: epoch_now.__setitem__(0, epoch)
    with _step_replaced(program.model, lambda x, y, *_: see(epoch_now[0], np.array(x), np.array(y))):
        program.model.fit(x, y, batch_size=batch_size, epochs=epochs, **options)


def settings(program, values=None):
    """Give the optimizer's settings other values, then return them all with their precision."""
    model = program.model
    if values:
        _keras_optimizers.set_settings(model.optimizer, values)
    variables = model.trainable_variables
    dtype = str(variables[0].dtype) if variables else keras.config.floatx()
    return _keras_optimizers.settings(model.optimizer, dtype)


def _versions():
    import tensorflow

    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}


def _name(loss):
    return loss if isinstance(loss, str) else getattr(loss, "name", type(loss).__name__)


def _entry(name, variable):
    return {"name": name, "shape": list(variable.shape), "dtype": str(variable.dtype)}


def _by_name(variables):
    named = {}
    for variable in variables:
        name, count = variable.path, 2
        while name in named:
            name, count = "{}#{}".format(variable.path, count), count + 1
        named[name] = variable
    return named


def _parameters(model):
    return _by_name(model.trainable_variables)


def _buffers(model):
    return _by_name(model.non_trainable_weights)


def _slots(model):
    return _keras_optimizers.slots(model.optimizer, list(_parameters(model)))


def _others(model, groups):
    known = {id(v) for variables in groups.values() for v in variables.values()}
    everything = list(model.variables) + list(model.optimizer.variables) + list(model.metrics_variables)
    others = {id(v): v for v in everything if id(v) not in known}
    return {"{}:{}".format(i, v.path): v for i, v in enumerate(others.values())}


@contextlib.contextmanager
def _recording_layers(model, seen):
    """Note every layer's float outputs under its name; a layer used again gets #2, #3, …"""
    original = keras.layers.Layer.__call__

    def call(layer, *args, **kwargs):
        outputs = original(layer, *args, **kwargs)
        if layer is not model:
            for tensor in keras.tree.flatten(outputs):
                if "float" in str(getattr(tensor, "dtype", "")):
                    seen[_free_name(layer.name, seen)] = np.array(tensor)
        return outputs

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def _free_name(name, taken):
    free, count = name, 2
    while free in taken:
        free, count = "{}#{}".format(name, count), count + 1
    return free


def _observed_step(program):
    """A function of (x, y) that runs train_step as fit compiles it and returns (logs, gradients)."""
    if program.observed_step is None:
        program.observed_step = _trace_step(program.model)
    return program.observed_step


def _trace_step(model):
    import tensorflow as tf

    def step(data):
        given = []

        def note(grads, trainable_variables=None):
            given.extend(tf.convert_to_tensor(g) for g in grads)

        model.optimizer.apply = note
        try:
            return model.train_step(data), given
        finally:
            del model.optimizer.apply

    if model.run_eagerly:
        return step
    return tf.function(step, jit_compile=model.jit_compile, reduce_retracing=True)


@contextlib.contextmanager
def _step_replaced(model, see):
    """For the time of the block, fit hands each batch to see instead of training on it."""

    def step(data):
        see(*data)
        return {"loss": 0.0}

    eagerly = model.run_eagerly
    model.train_step, model.get_metrics_result = step, dict
    model.run_eagerly, model.train_function = True, None
    try:
        yield
    finally:
        del model.train_step, model.get_metrics_result
        model.run_eagerly, model.train_function = eagerly, None


def _fit_own_batches(program, x, y, batch_size, epochs, observer, options):
    """Fit epoch by epoch on the program's own batches; shuffling is the pipeline's affair."""
    options = {name: value for name, value in options.items() if name != "shuffle"}
    for epoch in range(epochs):
        stream = program.batches(x, y, batch_size, epoch)
        program.model.fit(stream, initial_epoch=epoch, epochs=epoch + 1, **options)
        if observer.finished:
            return


class _Observer(keras.callbacks.Callback):
    """Notes the running loss after each step, and stops after a number of steps."""

    def __init__(self, steps, total, watch):
        super().__init__()
        self.steps, self.total, self.watch = steps, steps or total, watch
        self.running_loss, self.epochs, self.finished = [], [], False

    def on_train_batch_end(self, batch, logs=None):
        self.running_loss.append(float((logs or {}).get("loss", np.nan)))
        done = len(self.running_loss)
        if done % 50 == 0:
            self.watch(done, self.total)
        if done == self.steps:
            self.model.stop_training = self.finished = True

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append({n: float(v) for n, v in (logs or {}).items() if not n.startswith("val_")})
