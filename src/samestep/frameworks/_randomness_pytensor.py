"""The shared stream in graphs of PyTensor: what their random operations would draw is an input of the compiled function."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Tuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.random.op import RandomVariable

from samestep.frameworks import _randomness, _randomness_numpy
from samestep.frameworks._randomness import stream


class Draws:
    """The random operations that graphs depend on, in the order in which they meet the data.

    given: variables of standard numbers, one for each; by: {what is drawn: the same made of those}. Operations within a Scan,
    and of other distributions than uniform, normal and Bernoulli's, draw for themselves.
    """

    def __init__(self, graphs: Iterable[Variable] = (), data: Iterable[Variable] = ()) -> None:
        self.data = list(data)
        self.nodes = [node for node in _in_order(list(graphs), self.data) if _kind(node)]
        self.given = [_standard(node) for node in self.nodes]
        self.by = {node.outputs[1]: _made(node, number) for node, number in zip(self.nodes, self.given)}
        self.shapes: Dict[Any, List[Tuple[int, ...]]] = {}
        self.measure: Any = None

    def numbers(self, arrays: List[Any]) -> List[Any]:
        """The numbers for a pass over these arrays of the data."""
        return [_numbers(node, given, shape) for node, given, shape in zip(self.nodes, self.given, self._sizes(arrays))]

    def _sizes(self, arrays):
        key = tuple(array.shape for array in arrays)
        if self.nodes and self.measure is None:
            shapes = [node.outputs[1].shape for node in self.nodes]
            self.measure = pytensor.function(self.data, shapes, mode=Mode("py", None), on_unused_input="ignore")
        if key not in self.shapes:
            self.shapes[key] = [tuple(map(int, shape)) for shape in (self.measure(*arrays) if self.nodes else ())]
        return self.shapes[key]


def _kind(node: Any) -> str:
    """What a node draws, or nothing if the stream has no numbers for it."""
    name = node.op.name
    if name == "binomial":  # how Theano's programs draw a mask
        count = node.op.dist_params(node)[0]
        return "bernoulli" if _is_one(count) else ""
    return name if name in ("uniform", "normal", "bernoulli") else ""


def _is_one(variable: Any) -> bool:
    while variable.owner is not None and len(variable.owner.inputs) == 1:
        variable = variable.owner.inputs[0]
    return isinstance(variable, Constant) and bool(np.all(variable.data == 1))


def _in_order(graphs: List[Variable], data: List[Variable]) -> List[Any]:
    """Random nodes in the order in which what they draw enters what is computed from the data."""
    order: List[Any] = []
    noise: Dict[Variable, List[Any]] = {}
    reached = set(data)
    for node in dict.fromkeys(node for graph in graphs for node in toposort([graph])):
        carried = [draw for variable in node.inputs for draw in noise.get(variable, ())]
        if isinstance(node.op, RandomVariable):
            noise[node.outputs[1]] = [node]
        elif reached.intersection(node.inputs):
            order += carried
            reached.update(node.outputs)
        elif carried:
            noise.update((variable, carried) for variable in node.outputs)
    return list(dict.fromkeys([*order, *(node for nodes in noise.values() for node in nodes)]))


def _standard(node: Any) -> Any:
    drawn = node.outputs[1].type
    dtype = drawn.dtype if drawn.dtype.startswith("float") else "float32"
    return pt.TensorType(dtype, (None,) * drawn.ndim)()


def _made(node: Any, standard: Any) -> Variable:
    """What the node draws, made of uniform or standard normal numbers."""
    drawn, parameters = node.outputs[1], node.op.dist_params(node)
    if _kind(node) == "bernoulli":
        made = standard >= 1 - parameters[-1]
    elif _kind(node) == "uniform":
        made = parameters[0] + (parameters[1] - parameters[0]) * standard
    else:
        made = parameters[0] + parameters[1] * standard
    return pt.specify_shape(pt.cast(made, drawn.type.dtype), drawn.type.shape)


def _numbers(node: Any, given: Any, shape: Tuple[int, ...]) -> Any:
    kind = _kind(node)
    words = _randomness_numpy.words(_randomness.draw(kind, shape), stream.step).reshape(shape)
    make = _randomness_numpy.normal if kind == "normal" else _randomness_numpy.uniform
    return np.ascontiguousarray(make(words, given.type.dtype))
