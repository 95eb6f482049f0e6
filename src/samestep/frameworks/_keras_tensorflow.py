"""Keras 3 on TensorFlow: its train_step as fit compiles it (keras/src/backend/tensorflow/trainer.py).

The step is traced, since Keras computes some losses otherwise when traced than when run eagerly:
keras/src/backend/tensorflow/nn.py, _get_logits.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, List

import tensorflow as tf

from samestep.frameworks import _tensorflow_gradients
from samestep.frameworks._keras_optimizers import array, noting

VERSIONS = {"tensorflow": tf.__version__}


def train_step(model: Any) -> Callable[..., Any]:
    """A function like the model's train_step, the one way by which fit and gradients go forward in training mode."""
    own = model.train_step

    def step(data: Any) -> Any:
        return own(data)

    return step


def observed_step(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Any], Any]:
    """A function of a batch, (x, y) or (x, y, weights), that runs train_step and returns (logs, gradients by name).

    forms is told which gradients are rows, or missing.
    """
    # within a tf.function of its own, a train_step would keep the noting optimizer for good
    own = getattr(model.train_step, "python_function", model.train_step)

    def step(data: Any) -> Any:
        with noting(model.optimizer) as given:
            logs = own(data)
        whose = "the train_step of {!r}".format(model.name)
        return logs, _tensorflow_gradients.by_name(given, parameters, forms, whose)

    if model.run_eagerly:
        return step
    step = tf.autograph.experimental.do_not_convert(step)  # as Keras does
    compiled: Callable[[Any], Any] = tf.function(step, jit_compile=model.jit_compile, reduce_retracing=True)
    return compiled


def looking(look: Callable[[Any], Dict[str, Any]]) -> Callable[..., Any]:
    """A train function for the model's loops that hands each batch to look, and returns its logs."""
    return lambda iterator: look(next(iterator))


def updater(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Dict[str, Any]], None]:
    """A function that lets the optimizer apply gradients by name, in the form in which train_step has them."""

    def update(gradients: Dict[str, Any]) -> None:
        model.optimizer.apply(*zip(*_tensorflow_gradients.as_given(gradients, parameters, forms)))

    return update


@contextlib.contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """What fit, or predict, sets before it calls the model."""
    yield


def values(tensor: Any) -> Any:
    """A float tensor as an array, or None for what is none."""
    is_float = "float" in str(getattr(tensor, "dtype", "")) and hasattr(tensor, "numpy")
    return array(tensor) if is_float else None


def generators() -> List[Any]:
    """Global generators that fit draws from; the states of TensorFlow's cannot be read."""
    return []
