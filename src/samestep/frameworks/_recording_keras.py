"""Keras 3 on every backend, and Keras 2 (tf_keras): each call of the train function of fit and of train_on_batch is an update.

The model's own train_step is run, within the function that Keras compiles. What its optimizer is given leaves that function as
further results, or beside the logs, from which it is taken before Keras sees them. Keras's logs are means over the epoch so far.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from samestep.frameworks import _recording_jax, _recording_torch
from samestep.frameworks._recording import Label, Source, batch_digest, flat, guarded, numbered, plain, replaced
from samestep.frameworks._recording_functions import functions_of, on_replicas
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
            strategy = getattr(model, "distribute_strategy", None)
            if (model.train_function is not None and not force) or on_replicas(strategy, recorder):
                return original(model, force)
            try:
                return _Watched(model, recorder).make_train_function(original, force)
            except Exception as error:  # a version that is made otherwise
                recorder.fail(error)
                return original(model, force)

        return make_train_function

    replaced(owner, "make_train_function", make)


def callback(keras: Any, recorder: Recorder) -> Any:
    """A callback for fit of this Keras, by which what the model trains is recorded without any hook."""

    class Record(keras.callbacks.Callback):
        """Has the model's train function made anew, watched, and made once more when the training has ended."""

        unhook: Callable[[], None] = staticmethod(lambda: None)

        def set_model(self, model: Any) -> None:
            super().set_model(model)
            if not hasattr(model.train_step, "_samestep_original"):
                with guarded(recorder):
                    watched = _Watched(model, recorder)
                    if watched.backend == "tensorflow":
                        self.unhook = functions_of(sys.modules["tensorflow"], recorder).hook()
                    watched.make_train_function(type(model).make_train_function, True)

        def on_train_end(self, logs: Any = None) -> None:
            _give_back(self.model)
            self.unhook()
            recorder.flush()

    return Record()


def _give_back(model: Any) -> None:
    """The model's own train_step is its own again, be it of its class or put there by its author."""
    own = getattr(model.__dict__.pop("train_step", None), "_samestep_original", None)
    if own is not None and getattr(own, "__func__", own) is not type(model).train_step:
        object.__setattr__(model, "train_step", own)
    model.train_function = None


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
        self.source = Source(recorder, "{} {}".format(type(model).__module__.split(".")[0], model.name), "keras")
        self.labels: Tuple[Label, ...] = ()
        self.scalars: List[str] = []
        self.backend = _backend(model)
        self.leave = self._way_out()

    def make_train_function(self, original: Any, force: bool) -> Any:
        """Make it of a train_step that hands out what it noted, and let what it hands out be recorded."""
        model = self.model
        own = getattr(model.train_step, "_samestep_original", model.train_step)  # where it is compiled anew
        object.__setattr__(model, "train_step", self._noting(own))
        original(model, force)
        if self.backend != "tensorflow":
            model.train_function = self._recording(model.train_function)
        return model.train_function

    def _way_out(self) -> Callable[[List[Any], Callable[[List[Any]], None]], bool]:
        """The function that has tensors leave a compiled step, if it can; else they leave beside the logs."""
        if self.backend == "tensorflow":
            return functions_of(sys.modules["tensorflow"], self.recorder).leave
        if self.backend == "jax":
            return functools.partial(_recording_jax.leave, self.recorder)
        return self._at_once

    def _at_once(self, noted: List[Any], take: Callable[[List[Any]], None]) -> bool:
        """Take what is computed already: of PyTorch, in a step that is not compiled."""
        if _recording_torch.traces(sys.modules["torch"]):
            return False
        if not self.recorder.idle:
            with guarded(self.recorder):
                take(noted)
        return True

    def _noting(self, own: Callable[..., Any]) -> Callable[..., Any]:
        """The train_step, which Keras on JAX gives a state too and takes one from."""

        def train_step(*args: Any) -> Any:
            with noting(self.model) as given:
                result = own(*args)
            logs, rest = (result[0], result[1:]) if isinstance(result, tuple) else (result, ())
            if not isinstance(logs, dict):
                return result
            noted = self._noted(given, logs, args[-1], *rest)
            if not self.leave(noted, self._record):
                logs = dict(logs, **{KEY: self._apart(noted)})
            return (logs, *rest) if rest else logs

        train_step._samestep_original = own  # type: ignore[attr-defined]
        return train_step

    def _noted(self, given: List[Given], logs: Dict[str, Any], data: Any, state: Any = None) -> List[Any]:
        """Gradients, parameters and buffers after the step, logs, learning rates, the batch."""
        gradients = [
            ((GRADIENT, variable_name(variable) + end), tensor)
            for one in given
            for variable, gradient in zip(one.variables, one.gradients)
            for end, tensor in parts(gradient)
        ]
        self.scalars = [name for name, value in logs.items() if np.ndim(value) == 0]
        rates = [numbered("learning_rate", number) for number in range(len(given))]
        after = self._after(state)
        self.labels = tuple(label for label, _ in gradients + after)
        tensors = [tensor for _, tensor in gradients + after]
        numbers = [logs[name] for name in self.scalars] + [one.rate for one in given]
        self.scalars += rates
        return [*tensors, *numbers, *(part for part in flat(data) if part is not None)]

    def _after(self, state: Any) -> List[Tuple[Label, Any]]:
        """What the step leaves in the variables."""
        model = self.model
        groups = (PARAMETER, model.trainable_variables), (BUFFER, model.non_trainable_variables)
        found = []
        for number, (kind, variables) in enumerate(groups):
            values = variables if state is None else state[number]
            found += [((kind, variable_name(v)), value_of(value)) for v, value in zip(variables, values)]
        return found

    def _apart(self, tensors: List[Any]) -> List[Any]:
        """On JAX, of no effect on how the step is computed."""
        return sys.modules["jax"].lax.optimization_barrier(tensors) if self.backend == "jax" else tensors

    def _recording(self, function: Any) -> Any:
        """The train function, after which an update is recorded where it left beside the logs."""

        def train_function(*args: Any) -> Any:
            result = function(*args)
            logs = result[0] if isinstance(result, tuple) else result
            if not isinstance(logs, dict) or KEY not in logs:
                return result
            logs = dict(logs)
            noted = logs.pop(KEY)
            if not self.recorder.idle:
                with guarded(self.recorder):
                    self._record(noted)
            return (logs, *result[1:]) if isinstance(result, tuple) else logs

        return train_function

    def _record(self, noted: List[Any], moment: Any = None) -> None:
        arrays = [array_of(tensor) for tensor in noted]
        tensors, rest = arrays[: len(self.labels)], arrays[len(self.labels) :]
        numbers, batch = rest[: len(self.scalars)], rest[len(self.scalars) :]
        scalars = {name: float(value) for name, value in zip(self.scalars, numbers)}
        self.source.update(self.labels, tensors, scalars, batch_digest(self.recorder, batch), "", moment)


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
    if type(gradient).__name__ == "IndexedSlices":
        return [("", gradient.values), (" rows", gradient.indices)]
    return [("", gradient)]


def variable_name(variable: Any) -> str:
    """The name that its library knows a variable by."""
    return str(getattr(variable, "path", None) or getattr(variable, "name", "?"))


def value_of(variable: Any) -> Any:
    """What a variable holds now."""
    value = getattr(variable, "_value", variable)
    return value.read_value() if hasattr(value, "read_value") else value


def array_of(tensor: Any) -> Any:
    """A tensor as an array that is looked at before the next step, and so need not be copied."""
    if hasattr(tensor, "_numpy"):  # first, since TensorFlow takes long to say what its tensors have not
        return plain(tensor._numpy())
    return plain(tensor.detach().cpu() if hasattr(tensor, "detach") else tensor)
