"""Keras 3 on JAX: its train_step as fit compiles it (keras/src/backend/jax/trainer.py)."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, List, Tuple

import jax
import numpy as np

from samestep.frameworks import _keras_optimizers
from samestep.frameworks._keras_optimizers import array, noting

VERSIONS = {"jax": jax.__version__}


def train_step(model: Any) -> Callable[..., Any]:
    """A function like the model's train_step, the one way by which fit and gradients go forward in training mode.

    A function of its own each time: jax.jit takes functions that are equal, as a model's methods are, for one that it
    has compiled already, with the settings that the optimizer had then.
    """
    own = model.train_step

    def step(state: Any, data: Any) -> Any:
        return own(state, data)

    return step


def observed_step(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Any], Any]:
    """A function of a batch, (x, y) or (x, y, weights), that runs train_step and returns (logs, gradients by name)."""
    own = train_step(model)

    def step(state: Any, data: Any) -> Tuple[Any, Any]:
        with noting(model.optimizer) as given:
            logs, _ = own(state, data)
        whose = "the train_step of {!r}".format(model.name)
        return logs, _keras_optimizers.given_by_name(given, parameters, whose)

    run = jax.jit(step) if _compiles(model) else step
    return lambda data: run(_state(model), data)


def looking(look: Callable[[Any], Dict[str, Any]]) -> Callable[..., Any]:
    """A train function for the model's loops that hands each batch to look, and returns its logs."""
    return lambda state, iterator: (look(next(iterator)), state)


def updater(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Dict[str, Any]], None]:
    """A function that lets the optimizer apply gradients by name, compiled where fit is."""
    optimizer = model.optimizer
    names = {id(variable): name for name, variable in parameters.items()}

    def apply(values: Any, held: Any, given: Any) -> Any:
        return optimizer.stateless_apply(held, given, values)

    run: Any = jax.jit(apply) if _compiles(model) else apply

    def update(gradients: Dict[str, Any]) -> None:
        groups = (optimizer._trainable_variables, optimizer.variables)
        given = [gradients[names[id(variable)]] for variable in groups[0]]
        after = run(*([variable.value for variable in group] for group in groups), given)
        for variables, new in zip(groups, after):
            for variable, value in zip(variables, new):
                variable.assign(value)

    return update


@contextlib.contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """What fit, or predict, sets before it calls the model."""
    yield


def values(tensor: Any) -> Any:
    """A float tensor as an array, or None for what is none."""
    known = isinstance(tensor, jax.Array) and not isinstance(tensor, jax.core.Tracer)
    return array(tensor) if known and "float" in str(tensor.dtype) else None


def generators() -> List[Any]:
    """Global generators that fit draws from: NumPy's shuffles the rows."""
    return [_NumPyGenerator()]


class _NumPyGenerator:
    """The state of NumPy's global generator, as a variable: uint32 (628,), a Mersenne Twister's words and its spare normal."""

    path, shape, dtype = "numpy", (628,), "uint32"

    def numpy(self) -> np.ndarray:
        _, words, *position, spare = np.random.get_state()
        return np.concatenate([words, np.array(position, np.uint32), np.array([spare], np.float64).view(np.uint32)])

    def assign(self, state: np.ndarray) -> None:
        words, position, spare = state[:624], state[624:626], np.array(state[626:]).view(np.float64)
        np.random.set_state(("MT19937", words, int(position[0]), int(position[1]), float(spare[0])))


def _compiles(model: Any) -> bool:
    return bool(model.jit_compile and not model.run_eagerly)


def _state(model: Any) -> Any:
    groups = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    return model._get_jax_state(**dict.fromkeys(groups, True))
