"""What can be read off a TensorFlow graph, for the adapters whose programs are graphs. Imports no framework."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator

NOT_ACTIVATIONS = {
    "Identity", "Const", "Placeholder", "PlaceholderWithDefault", "ReadVariableOp", "VariableV2", "VarHandleOp", "StopGradient",
}  # fmt: skip
BETA_POWER = re.compile(r"(^|/)beta[12]_power(_\d+)?$")
"""The variables in which AdamOptimizer and AdaMaxOptimizer count, tensorflow/python/training/adam.py: beta ** (updates + 1)."""


def ancestors(operations: Iterable[Any]) -> dict[str, Any]:
    """All operations, by name, that these depend on, themselves included."""
    found, waiting = {}, list(operations)
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting.extend(tensor.op for tensor in operation.inputs)
            waiting.extend(operation.control_inputs)
    return found


def activations(graph: Any, inputs: Any, outputs: Iterable[Any]) -> dict[str, Any]:
    """Float tensors on the way from inputs to outputs, in the order in which their operations were made."""
    needed = ancestors([tensor.op for tensor in outputs])
    reached = {inputs.op.name}
    found: dict[str, Any] = {}
    for operation in graph.get_operations():
        if any(tensor.op.name in reached for tensor in operation.inputs):
            reached.add(operation.name)
            if operation.name in needed and _observable(operation):
                found.update(
                    (tensor.name.replace(":0", ""), tensor)
                    for tensor in operation.outputs
                    if tensor.dtype.is_floating and graph.is_fetchable(tensor)
                )
    return found


def apply_operations(train_op: Any) -> list[dict[str, Any]]:
    """The optimizer's update operations below a train op, as [{argument: tensor}] with their kind under "kind".

    An operation that updates rows of a variable has "indices" among its arguments.
    """
    found = []
    for operation in _in_order(ancestors([train_op])):
        if "Apply" in operation.type and operation.op_def is not None:
            arguments = {arg.name: tensor for arg, tensor in zip(operation.op_def.input_arg, operation.inputs)}
            if "var" in arguments:
                kind = operation.type.replace("Resource", "").replace("Sparse", "")
                found.append(dict(arguments, kind=kind))
    return found


def assigned(train_op: Any) -> Iterator[tuple[Any, Any]]:
    """(assigning operation, the operation of the variable it writes) below a train op; dense updates left out."""
    for operation in _in_order(ancestors([train_op])):
        if any(word in operation.type for word in ("Assign", "Scatter", "SparseApply")) and operation.inputs:
            yield operation, operation.inputs[0].op


def increments(operation: Any) -> bool:
    """Whether an assigning operation adds to an integer scalar, as minimize(loss, global_step=…) does."""
    value = operation.inputs[1]
    return bool(operation.type.startswith("AssignAdd") and value.dtype.is_integer and value.shape.ndims == 0)


def beta_of_power(operation: Any) -> Any:
    """The tensor by which an assigning operation multiplies one of Adam's powers, or None for other operations."""
    product = operation.inputs[1].op
    if not BETA_POWER.search(operation.inputs[0].op.name) or product.type != "Mul":
        return None
    return next((t for t in product.inputs if operation.inputs[0].op.name not in ancestors([t.op])), None)


def summed_rows(operation: Any) -> tuple[Any, Any] | None:
    """(rows, their numbers) of the gradient below an operation that updates rows, each row once; None where there are none.

    Optimizers add up the gradients of a row that was looked up twice (tensorflow/python/training/optimizer.py,
    _deduplicate_indexed_slices): a segment sum over what tf.unique made of the row numbers.
    """
    sums = [op for op in _in_order(ancestors([operation])) if op.type == "UnsortedSegmentSum"]
    found = [op for op in sums if op.inputs[1].op.type == "Unique" and made_by_gradients(op.inputs[0])]
    return (found[-1].outputs[0], found[-1].inputs[1].op.outputs[0]) if found else None


def made_by_gradients(tensor: Any) -> bool:
    """Whether tf.gradients itself made this tensor: it notes which operation each of its own differentiates.

    (tensorflow/python/ops/gradients_util.py, _GradientsHelper; sums of several gradients carry no note.)
    """
    if tensor.op.type == "AddN":
        return all(term.op._original_op is not None for term in tensor.op.inputs)
    return tensor.op._original_op is not None


def of_shape(tensor: Any, shape: list[int]) -> list[Any]:
    """Tensors that this one depends on, itself included, with this shape and its dtype, in the order of their making."""
    return [
        output
        for operation in _in_order(ancestors([tensor.op]))
        for output in operation.outputs
        if operation.graph.is_fetchable(output) and operation.graph.is_feedable(output)  # not within a loop
        if output.dtype == tensor.dtype and output.shape.ndims is not None and output.shape.as_list() == shape
    ]


def _in_order(operations: dict[str, Any]) -> list[Any]:
    return sorted(operations.values(), key=lambda operation: operation._id)


def _observable(operation: Any) -> bool:
    return operation.type not in NOT_ACTIVATIONS and operation._get_control_flow_context() is None
