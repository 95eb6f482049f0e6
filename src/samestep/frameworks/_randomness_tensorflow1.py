"""The shared stream in graphs of TensorFlow 1: what their random operations would return is fed. Nothing is added to a graph."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from samestep.frameworks import _randomness, _randomness_numpy, _tensorflow_graph
from samestep.frameworks._randomness import stream

KINDS = {
    "RandomUniform": "uniform",
    "RandomStandardNormal": "normal",
    "TruncatedNormal": "truncated_normal",
    "StatelessRandomUniform": "uniform",
    "StatelessRandomNormal": "normal",
    "StatelessTruncatedNormal": "truncated_normal",
}
"""What the operations draw, whatever version of them: tensorflow/core/ops/random_ops.cc, stateless_random_ops.cc."""


class Draws:
    """The random operations that tensors of a graph depend on, in the order of their making."""

    def __init__(self, tensors: Any) -> None:
        found = _tensorflow_graph.ancestors([tensor.op for tensor in tensors]).values()
        self.operations = sorted((op for op in found if _kind(op)), key=lambda operation: operation._id)
        self.shapes: Dict[Any, List[Any]] = {}

    def feeds(self, session: Any, feeds: Dict[str, Any]) -> Dict[str, Any]:
        """{name of a tensor: its numbers} for a run with these feeds; nothing unless the stream is active.

        Operations in loops draw for themselves, and so do those of a branch that is not taken.
        """
        if stream.seed is None:
            return {}
        found = {}
        for operation, shape in zip(self.operations, self._shapes(session, feeds)):
            if _in_loop(operation):
                _randomness.note(_kind(operation), operation.outputs[0].shape, loop=True)
            elif shape is not None:
                found[operation.outputs[0].name] = _numbers(operation, shape)
        return found

    def _shapes(self, session: Any, feeds: Dict[str, Any]) -> List[Any]:
        """What each operation is asked to draw; None where it is not run."""
        key = str({name: value if np.ndim(value) == 0 else np.shape(value) for name, value in feeds.items()})
        if key not in self.shapes:
            self.shapes[key] = [_shape(operation, session, feeds) for operation in self.operations]
        return self.shapes[key]


def _kind(operation: Any) -> str:
    return KINDS.get(operation.type.replace("V2", ""), "")


def _shape(operation: Any, session: Any, feeds: Dict[str, Any]) -> Any:
    known = operation.outputs[0].shape
    if known.is_fully_defined():
        return tuple(known.as_list())
    if _in_loop(operation):
        return None
    try:
        return tuple(session.run(operation.inputs[0], feeds))
    except tf.errors.InvalidArgumentError:  # of a branch that is not taken
        return None


def _numbers(operation: Any, shape: Tuple[int, ...]) -> Any:
    kind, dtype = _kind(operation), operation.outputs[0].dtype.as_numpy_dtype
    words = _randomness_numpy.words(_randomness.draw(kind, shape), stream.step).reshape(shape)
    if kind == "uniform":
        return _randomness_numpy.uniform(words, dtype)
    return _randomness_numpy.normal(words, dtype, kind)


def _in_loop(operation: Any) -> bool:
    context = operation._get_control_flow_context()
    while context is not None and not context.IsWhileContext():
        context = context.outer_context
    return context is not None
