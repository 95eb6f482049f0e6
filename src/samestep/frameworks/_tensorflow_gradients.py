"""What a training step hands to its optimizer, for the adapters whose optimizers take TensorFlow gradients.

A gradient may be a tensor, the rows that were looked up (tf.IndexedSlices, of an embedding) or missing (the loss does not
depend on the variable). All are shown as arrays of the variable's shape; an update is given back what it had.
"""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _keras_optimizers

Pairs = List[Tuple[Any, Any]]


@contextlib.contextmanager
def noting(optimizer: Any) -> Iterator[Pairs]:
    """For the time of the block the optimizer only notes the (gradient, variable) pairs that it is given."""
    given: Pairs = []

    def apply(grads: Any, trainable_variables: Any = None) -> None:
        given.extend(zip(grads, optimizer._trainable_variables if trainable_variables is None else trainable_variables))

    def apply_gradients(grads_and_vars: Any, *args: Any, **kwargs: Any) -> None:
        given.extend(grads_and_vars)

    # Keras's apply_gradients ends in apply: keras/src/optimizers/base_optimizer.py
    name, note = (
        ("apply", apply) if _keras_optimizers.is_keras_optimizer(optimizer) else ("apply_gradients", apply_gradients)
    )
    setattr(optimizer, name, note)
    try:
        yield given
    finally:
        delattr(optimizer, name)


def by_name(given: Pairs, parameters: Dict[str, Any], forms: Dict[str, str], whose: str) -> Dict[str, Any]:
    """{parameter: gradient as a tensor of its shape}; notes in forms which of them are "rows" or "missing".

    whose: the step that gave them, for the error: ProgramError unless each parameter came exactly once.
    """
    names = {id(handle): name for name, v in parameters.items() for handle in (v, getattr(v, "_value", v))}
    gradients = {names.get(id(variable), "?"): gradient for gradient, variable in given}
    if len(given) != len(parameters) or set(gradients) != set(parameters):
        raise ProgramError(
            "{} gave its optimizer {} gradients, and the program has {} trainable variables.\nObserved is a step that gives the "
            "optimizer each of them once, in one call or in several.".format(whose, len(given), len(parameters))
        )
    forms.update((name, _form(gradient)) for name, gradient in gradients.items())
    return {name: _dense(gradients[name], variable) for name, variable in parameters.items()}


def as_given(gradients: Dict[str, Any], parameters: Dict[str, Any], forms: Dict[str, str]) -> Pairs:
    """(gradient, variable) pairs for an optimizer, in the form in which the program's own step has them."""
    return [
        (_rows(gradients[name]) if forms.get(name) == "rows" else tf.constant(gradients[name]), variable)
        for name, variable in parameters.items()
        if forms.get(name) != "missing"
    ]


def _form(gradient: Any) -> str:
    if gradient is None:
        return "missing"
    return "rows" if isinstance(gradient, tf.IndexedSlices) else "dense"


def _dense(gradient: Any, variable: Any) -> Any:
    if gradient is None:
        return tf.zeros(variable.shape, variable.dtype)
    if isinstance(gradient, tf.IndexedSlices):  # rows looked up twice count twice
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
    return tf.convert_to_tensor(gradient)


def _rows(gradient: np.ndarray) -> Any:
    indices = np.flatnonzero(np.any(gradient.reshape(len(gradient), -1) != 0, axis=1))
    return tf.IndexedSlices(tf.constant(gradient[indices]), tf.constant(indices), tf.constant(gradient.shape, tf.int64))
