"""What a training step hands to its optimizer, for the adapters whose optimizers take TensorFlow gradients.

A gradient may be a tensor, the rows that were looked up (tf.IndexedSlices, of an embedding) or missing (the loss does not
depend on the variable). All are shown as arrays of the variable's shape; an update is given back what it had.
"""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from samestep.frameworks import _keras_optimizers
from samestep.frameworks._keras_optimizers import Pairs


def by_name(given: Pairs, parameters: Dict[str, Any], forms: Dict[str, str], whose: str) -> Dict[str, Any]:
    """{parameter: gradient as a tensor of its shape}; notes in forms which of them are "rows" or "missing".

    whose: the step that gave them, for the error: ProgramError unless each parameter came exactly once.
    """
    gradients = _keras_optimizers.given_by_name(given, parameters, whose)
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
