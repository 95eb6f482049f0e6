"""A copy of a TensorFlow graph, in a session of its own, for what needs operations that the author did not make."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from samestep.errors import ProgramError
from samestep.frameworks import _tensorflow_graph

PASS_THEM = (
    "Pass them: Program(…, gradients=[(gradient, variable), …]), as compute_gradients(loss) returned them; or pass "
    "the loss that is minimised."
)


class Twin:
    """A copy of the graph of `loss` with the gradients of the loss added, dense; the author's graph is left as it is.

    variables: {name: tf.Variable} of the author's graph, in whose order gradients are. Raises ProgramError where the graph
    cannot be copied.
    """

    def __init__(self, loss: Any, variables: dict[str, Any]) -> None:
        self.variables, self.graph = variables, tf.Graph()
        try:
            with loss.graph.as_default():  # or TensorFlow 2 refuses, as if run eagerly
                exported = tf.compat.v1.train.export_meta_graph()
            with self.graph.as_default():
                tf.compat.v1.train.import_meta_graph(exported)
                handles = [self.graph.get_tensor_by_name(v.op.outputs[0].name) for v in variables.values()]
                wanted = self.graph.get_tensor_by_name(loss.name)
                found = tf.gradients(wanted, handles, name="beside")  # loops are known by name: not by the author's
                self.gradients = {n: tf.convert_to_tensor(g) for n, g in zip(variables, found) if g is not None}
        except (ValueError, TypeError, LookupError, RuntimeError, tf.errors.OpError) as error:
            raise ProgramError(
                "the gradients cannot be told from a copy of the graph: {}\n{}".format(error, PASS_THEM)
            ) from error
        self.session = tf.compat.v1.Session(graph=self.graph)

    def run(self, fetched: Any, feeds: dict[str, Any], assigned: list[tuple[Any, Any]]) -> Any:
        """Run with these values of the author's variables, as [(variable, array)]."""
        for variable, value in assigned:
            self.session.run(variable.initializer.name, {variable.initializer.inputs[1].name: value})
        return self.session.run(fetched, feeds)


def raw_gradients(
    twin: Twin, applied: dict[str, Any], feeds: dict[str, Any], state: list[tuple[Any, Any]]
) -> dict[str, Any]:
    """{parameter: tensor of the author's graph} of the gradients from which the applied ones are made.

    A raw gradient is known by its value: the first tensor among the ancestors of the applied one that equals the gradient
    of the loss. Parameters are moved a little, so that no gradient is zero by chance.
    """
    shapes = {name: twin.variables[name].shape.as_list() for name in applied}
    candidates = {name: _tensorflow_graph.of_shape(tensor, shapes[name]) for name, tensor in applied.items()}
    names = {tensor.name for tensors in candidates.values() for tensor in tensors}
    rng = np.random.RandomState(0)
    moved = [(variable, _moved(variable, value, twin, rng)) for variable, value in state]
    seen, wanted = twin.run([{name: name for name in names}, twin.gradients], feeds, moved)
    return {name: _first_equal(candidates[name], seen, wanted[name], name) for name in applied}


def _moved(variable: Any, value: Any, twin: Twin, rng: Any) -> Any:
    if variable.op.name not in twin.variables:
        return value
    return (value + 0.01 * rng.standard_normal(value.shape)).astype(value.dtype)


def _first_equal(candidates: list[Any], seen: dict[str, Any], wanted: Any, name: str) -> Any:
    size = np.max(np.abs(wanted)) if wanted.size else 0.0
    for tensor in candidates:
        if np.allclose(seen[tensor.name], wanted, rtol=1e-5, atol=1e-6 * size):
            return tensor
    raise ProgramError(
        "the train op changes the gradient of {} before it applies it, and nothing on its way there equals "
        "tf.gradients(loss, {}).\n{}".format(name, name, PASS_THEM)
    )
