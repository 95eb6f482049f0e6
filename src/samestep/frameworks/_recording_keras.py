"""Keras 3 on every backend, and Keras 2 (tf_keras): each call of the train function of fit and of train_on_batch is an update.

The model's own train_step is run, within the function that Keras compiles; what its optimizer is given is handed out of it
beside the logs, and taken from them again before Keras sees them. Keras's logs are means over the epoch so far.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from samestep.frameworks._recording import Label, Source, batch_digest, guarded, plain, replaced
from samestep.recording.recorder import BUFFER, GRADIENT, PARAMETER, Recorder

KEY = "samestep/noted"
"""Beside the logs, until they leave the train function."""


def hook(keras: Any, recorder: Recorder) -> None:
    """Record what models of this Keras train."""
    if not hasattr(keras, "Model") or not hasattr(keras.Model, "make_train_function"):
        return  # Keras before 2.4 trains through graphs of its backend
    owner = next(cls for cls in keras.Model.__mro__ if "make_train_function" in vars(cls))

    def make(original: Any) -> Any:
        def make_train_function(model: Any, force: bool = False) -> Any:
            if model.train_function is not None and not force:
                return original(model, force)
            try:
                return _Watched(model, recorder).make_train_function(original, force)
            except Exception as error:  # a version that is made otherwise
                recorder.fail(error)
                return original(model, force)

        return make_train_function

    replaced(owner, "make_train_function", make)


_now = threading.local()


class Given(NamedTuple):
    """What an optimizer was given in a step: variables, gradients, and the learning rate then."""

    variables: List[Any]
    gradients: List[Any]
    rate: Any


class _Watched:
    """A model whose train function is watched."""

    def __init__(self, model: Any, recorder: Recorder) -> None:
        self.model, self.recorder = model, recorder
        self.source = Source(recorder, "{} {}".format(type(model).__module__.split(".")[0], model.name))
        self.labels: Tuple[Label, ...] = ()
        self.backend = _backend(model)
        self.batch: Any = None

    def make_train_function(self, original: Any, force: bool) -> Any:
        """Make it of a train_step that hands out what it noted, and let what it hands out be recorded."""
        model, own = self.model, self.model.train_step
        object.__setattr__(model, "train_step", self._noting(own))
        original(model, force)
        model.train_function = self._recording(model.train_function)
        return model.train_function

    def _noting(self, own: Callable[..., Any]) -> Callable[..., Any]:
        def train_step(*args: Any) -> Any:
            with noting(self.model) as given:
                result = own(*args)
            logs, rest = (result[0], result[1:]) if isinstance(result, tuple) else (result, None)
            if isinstance(logs, dict):
                logs = dict(logs, **{KEY: self._handed_out(given, args[-1])})
            return logs if rest is None else (logs, *rest)

        return train_step

    def _handed_out(self, given: List[Given], data: Any) -> Dict[str, Any]:
        """Gradients as tensors; what is sparse as its values and the rows that they are of."""
        labels, tensors = [], []
        for one in given:
            for variable, gradient in zip(one.variables, one.gradients):
                for suffix, tensor in parts(gradient):
                    labels.append((GRADIENT, variable_name(variable) + suffix))
                    tensors.append(tensor)
        self.labels = tuple(labels)
        # tuples: a tf.data Optional holds no lists
        noted = {"gradients": tuple(tensors), "rates": tuple(one.rate for one in given)}
        if self.backend == "tensorflow":
            noted["batch"] = tuple(part for part in _flat(data) if part is not None)
        return noted

    def _recording(self, function: Any) -> Any:
        """The train function, after which an update is recorded. Keras on JAX gives it the state too."""

        def train_function(*args: Any) -> Any:
            result = function(*args[:-1], self._seeing(args[-1]))
            logs, state = result if isinstance(result, tuple) else (result, None)
            if isinstance(logs, dict):
                logs = dict(logs)
                noted = logs.pop(KEY, None)
                if noted is not None:
                    with guarded(self.recorder):
                        self._record(logs, noted, state)
            return logs if state is None else (logs, state)

        return train_function

    def _seeing(self, batches: Any) -> Any:
        """The batches, noted as they are taken, where they are not handed out of a graph."""
        if self.backend == "tensorflow":
            return batches
        if self.backend == "torch":
            self.batch = batches[0]
            return batches
        return self._passed_on(batches)

    def _passed_on(self, batches: Any) -> Iterator[Any]:
        for self.batch in batches:
            yield self.batch

    def _record(self, logs: Dict[str, Any], noted: Dict[str, Any], state: Any) -> None:
        if self.recorder.idle:
            return
        parameters, buffers = self._values(state)
        scalars = {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
        scalars.update(
            ("learning_rate" + (" {}".format(n) if n else ""), float(r)) for n, r in enumerate(noted["rates"])
        )
        arrays = [*map(self._array, noted["gradients"]), *parameters, *buffers]
        batch = batch_digest(self.recorder, [self._array(part) for part in noted.get("batch", _flat(self.batch))])
        self.source.update(self._labels(len(parameters), len(buffers)), arrays, scalars, batch)

    def _labels(self, parameters: int, buffers: int) -> Tuple[Label, ...]:
        """Made once for the gradients that the step last had."""
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] is not self.labels:
            model = self.model
            named = [(PARAMETER, variable_name(v)) for v in model.trainable_variables[:parameters]]
            named += [(BUFFER, variable_name(v)) for v in model.non_trainable_variables[:buffers]]
            kept = self._kept = (self.labels, (*self.labels, *named))
        return kept[1]

    def _values(self, state: Any) -> Tuple[List[Any], List[Any]]:
        groups = (
            state[:2] if state is not None else (self.model.trainable_variables, self.model.non_trainable_variables)
        )
        return [self._array(v) for v in groups[0]], [self._array(v) for v in groups[1]]

    def _array(self, value: Any) -> Any:
        """A variable or tensor as an array that is looked at before the next step, and so need not be copied."""
        value = getattr(value, "_value", value) if self.backend != "torch" else getattr(value, "value", value)
        if self.backend == "torch":
            value = value.detach().cpu() if hasattr(value, "detach") else value
        elif hasattr(value, "read_value"):
            value = value.read_value()
        return plain(value._numpy() if hasattr(value, "_numpy") else value)


@contextlib.contextmanager
def noting(model: Any) -> Iterator[List[Given]]:
    """For the time of the block, all optimizers that are attributes of the model note what they are given."""
    given: List[Given] = []
    restore = []
    _now.fitting = True
    for optimizer in _optimizers(model):
        name = "apply" if hasattr(optimizer, "apply") else "apply_gradients"
        object.__setattr__(optimizer, name, _noting_apply(optimizer, name, given))
        restore.append((optimizer, name))
    try:
        yield given
    finally:
        _now.fitting = False
        for optimizer, name in restore:
            object.__delattr__(optimizer, name)


def fitting() -> bool:
    """Whether a train_step of Keras is under way in this thread, whose updates are noted already."""
    return getattr(_now, "fitting", False)


def _noting_apply(optimizer: Any, name: str, given: List[Given]) -> Any:
    original = getattr(optimizer, name)

    def apply(gradients: Any, *args: Any, **kwargs: Any) -> Any:
        rate = rate_of(optimizer)
        gradients = list(gradients)
        if name == "apply":
            variables = args[0] if args else kwargs.get("trainable_variables")
            pairs = list(zip(gradients, optimizer._trainable_variables if variables is None else list(variables)))
        else:
            pairs = gradients
        given.append(Given([variable for _, variable in pairs], [gradient for gradient, _ in pairs], rate))
        return original(gradients, *args, **kwargs)

    return apply


def rate_of(optimizer: Any) -> Any:
    """The learning rate of the next update, as a tensor."""
    rate = optimizer.learning_rate
    if callable(rate) and not hasattr(rate, "dtype"):  # Keras 2 gives the schedule itself
        rate = rate(optimizer.iterations)
    return rate + 0.0  # a value of its own, where the variable may change in this step


def _optimizers(model: Any) -> List[Any]:
    found = [value for value in vars(model).values() if hasattr(value, "apply_gradients")]
    own = getattr(model, "optimizer", None)
    return found if own is None or any(own is one for one in found) else [own, *found]


def _backend(model: Any) -> str:
    names = {
        name.rsplit(".", 1)[-1] for name in (cls.__module__.rsplit(".trainer", 1)[0] for cls in type(model).__mro__)
    }
    return next((name for name in ("jax", "torch") if name in names), "tensorflow")


def parts(gradient: Any) -> List[Tuple[str, Any]]:
    """A gradient's tensors, with the ends of their names: of a sparse one, its values and the rows that they are of."""
    if gradient is None:
        return []
    if hasattr(gradient, "indices") and hasattr(gradient, "values"):
        return [("", gradient.values), (" rows", gradient.indices)]
    return [("", gradient)]


def variable_name(variable: Any) -> str:
    """The name that its library knows a variable by."""
    return str(getattr(variable, "path", None) or getattr(variable, "name", "?"))


def _flat(data: Any) -> List[Any]:
    if isinstance(data, dict):
        return [part for _, value in sorted(data.items()) for part in _flat(value)]
    if isinstance(data, (list, tuple)):
        return [part for value in data for part in _flat(value)]
    return [data]
