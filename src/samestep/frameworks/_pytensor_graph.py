"""What a PyTensor graph tells of itself: what depends on what, where a gradient is used."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable, clone_get_equiv
from pytensor.graph.traversal import ancestors, toposort

from samestep.frameworks._names import free_name

Replaced = Dict[Variable, Variable]

PLUMBING = ("DimShuffle", "ExpandDims", "Cast", "cast", "Assert", "SpecifyShape", "Alloc", "identity", "Unbroadcast")
"""Operations whose outputs show nothing that their inputs do not."""


def shared_in(outputs: Iterable[Variable], blockers: Iterable[Variable] = ()) -> List[Any]:
    """The shared variables that outputs are computed from; nothing behind blockers."""
    blockers = list(blockers)
    used = ancestors(list(outputs), blockers)
    return [v for v in used if isinstance(v, SharedVariable) and v not in blockers]


def shared_in_order(output: Variable, data: Iterable[Variable]) -> List[Any]:
    """The shared variables that data meets on its way to the output, in that order."""
    met: List[Variable] = []
    reached = set(data)
    for node in toposort([output]):
        if reached.intersection(node.inputs):
            met += [i for i in node.inputs if i not in reached]
            reached.update(node.outputs)
    return list(dict.fromkeys(shared for variable in met for shared in shared_in([variable])))


def depends(output: Variable, on: Iterable[Variable], blockers: Iterable[Variable] = ()) -> bool:
    """Whether output is computed from any of these variables, other than through blockers."""
    reached = set(ancestors([output], list(blockers)))
    return any(variable in reached for variable in on)


def replaced(outputs: Iterable[Variable], by: Replaced) -> List[Variable]:
    """Copies of the outputs in which variables are replaced, the graph behind them left out."""
    outputs = list(outputs)
    found = clone_get_equiv(list(by), outputs, copy_inputs=False, copy_orphans=False, memo=dict(by))
    return [found[output] for output in outputs]


def used_as(outputs: Iterable[Variable], wanted: Iterable[Variable]) -> List[List[Variable]]:
    """For each wanted variable, those in the graphs of outputs that the same operations make from the same inputs.

    Graphs made by separate calls of pytensor.grad are equal, and yet not the same.
    """
    outputs, wanted = list(outputs), list(wanted)
    first: Replaced = {}
    seen: Dict[Any, List[Variable]] = {}
    for node in toposort([*outputs, *wanted]):
        made = seen.setdefault((node.op, *(first.get(i, _identity(i)) for i in node.inputs)), node.outputs)
        first.update((variable, first.get(twin, twin)) for variable, twin in zip(node.outputs, made))
    reached = list(ancestors(outputs))
    return [[v for v in reached if first.get(v, v) is first.get(w, w)] for w in wanted]


def _identity(variable):
    return variable.signature() if isinstance(variable, Constant) else variable


def constants_in(outputs: Iterable[Variable], blockers: Iterable[Variable]) -> List[Any]:
    """Scalar float constants that are no whole numbers: those are settings, where 1 and 2 are part of a formula."""
    reached = [v for v in ancestors(list(outputs), list(blockers)) if isinstance(v, Constant)]
    scalars = [v for v in reached if np.ndim(v.data) == 0 and np.asarray(v.data).dtype.kind == "f"]
    return [v for v in scalars if np.isfinite(v.data) and float(v.data) != round(float(v.data))]


def activations(inputs: List[Variable], outputs: List[Variable]) -> Dict[str, Variable]:
    """The float tensors between inputs and outputs in the order of the graph, by their own names or their operations'."""
    found: Dict[str, Variable] = {}
    reached = set(inputs)
    for node in toposort(outputs):
        if not reached.intersection(node.inputs):
            continue
        reached.update(node.outputs)
        name = _operation(node.op)
        if not name.startswith(PLUMBING) or node.outputs[0].name:
            for output in node.outputs:
                if str(getattr(output.type, "dtype", "")).startswith("float") and output.type.ndim:
                    found[free_name(output.name or name, found)] = output
    return found


def _operation(op):
    scalar = getattr(op, "scalar_op", None)
    return str(scalar if scalar is not None else type(op).__name__)
