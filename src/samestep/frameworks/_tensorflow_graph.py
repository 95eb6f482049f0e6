"""What can be read off a TensorFlow graph, for the adapters whose programs are graphs. Imports no framework."""

NOT_ACTIVATIONS = {
    "Identity", "Const", "Placeholder", "PlaceholderWithDefault", "ReadVariableOp", "VariableV2", "VarHandleOp", "StopGradient",
}  # fmt: skip


def ancestors(operations):
    """All operations that these depend on, themselves included."""
    found, waiting = {}, list(operations)
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting.extend(tensor.op for tensor in operation.inputs)
            waiting.extend(operation.control_inputs)
    return found


def activations(graph, inputs, outputs):
    """Float tensors on the way from inputs to outputs, in the order in which their operations were made."""
    needed = ancestors([tensor.op for tensor in outputs])
    reached = {inputs.op.name}
    found = {}
    for operation in graph.get_operations():
        if any(tensor.op.name in reached for tensor in operation.inputs):
            reached.add(operation.name)
            if operation.name in needed and _observable(operation):
                found.update(
                    (tensor.name.replace(":0", ""), tensor) for tensor in operation.outputs if tensor.dtype.is_floating
                )
    return found


def _observable(operation):
    return operation.type not in NOT_ACTIVATIONS and operation._get_control_flow_context() is None


def apply_operations(train_op):
    """The optimizer's update operations below a train op, as [{argument: tensor}] with their kind under "kind"."""
    found = []
    for operation in sorted(ancestors([train_op]).values(), key=lambda op: op._id):
        if "Apply" in operation.type and operation.op_def is not None:
            arguments = {arg.name: tensor for arg, tensor in zip(operation.op_def.input_arg, operation.inputs)}
            if "var" in arguments:
                found.append(dict(arguments, kind=operation.type.replace("Resource", "")))
    return found
