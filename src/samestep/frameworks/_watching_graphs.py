"""Races of TensorFlow 1 graphs: variables that a run reads and writes with nothing that says which comes first.

A variable of the old kind is read without a copy, so whoever uses what was read races with the write too; one of the new kind,
a resource, is read by an operation of its own, and what was read stays as it is.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Callable, Dict, Iterable, List, Set

RACE = "variable race in graph"
IN_ORDER = "reads before writes"
"""The switch, with ": NAME" of variables behind it."""
MOST = 20000
"""Operations of a graph that is looked at."""
OLD, NEW = ("VariableV2", "Variable"), ("VarHandleOp",)
READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd")


def watch(tape: Any, tensorflow: Any) -> None:
    """Look at each graph before a session runs it, as far as it has grown since."""
    seen: Dict[int, int] = {}
    for kind in tensorflow.compat.v1.Session.__mro__[:2]:  # its own, which recording may have hooked, and the base's
        for name in ("run", "_make_callable_from_options", "make_callable"):
            if name in vars(kind):
                setattr(kind, name, _before(lambda graph: _look(tape, graph, seen), vars(kind)[name]))


def _before(look: Callable[[Any], None], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        look(self.graph)
        return original(self, *arguments, **named)

    return call


def _look(tape: Any, graph: Any, seen: Dict[int, int]) -> None:
    operations = graph.get_operations() if seen.get(id(graph)) != graph.version else []
    known = seen.get(id(graph), 0)
    seen[id(graph)] = graph.version
    if not operations or len(operations) > MOST:
        return
    for variable in operations:
        if variable.type in OLD + NEW:
            for write in _writes(variable):
                if write._id > known:
                    _race(tape, variable, write)
    seen[id(graph)] = graph.version


def _writes(variable: Any) -> List[Any]:
    return [op for op in variable.outputs[0].consumers() if op.inputs[0].op is variable and _is_write(op.type)]


def _is_write(kind: str) -> bool:
    return kind.startswith(
        ("Assign", "Apply", "SparseApply", "ResourceApply", "ResourceSparseApply", "Scatter", "ResourceScatter")
    )


def _race(tape: Any, variable: Any, write: Any) -> None:
    """Note the race of a write with reads that nothing puts before or after it; put them before it where that is wanted."""
    before, after = _ancestors(write), _descendants(write)
    earlier = [other for other in _writes(variable) if other._id < write._id and not _first(variable, other)]
    others = [*_readers(variable), *earlier]  # writes of which nothing says which comes first race too
    loose = [other for other in others if other not in before and other not in after and other is not write]
    needs = _placeholders(before)
    loose = [read for read in loose if _placeholders(_ancestors(read)) <= needs]
    if not loose or _first(variable, write):
        return
    family = _family(variable.name)
    tape.seen(RACE, at=family)
    if "{}: {}".format(IN_ORDER, family) in tape.switches:
        write._add_control_inputs(loose)


def _first(variable: Any, write: Any) -> bool:
    """Whether it gives the variable its first value, in a run of its own."""
    return bool(write.name == variable.name + "/Assign")


def _family(name: str) -> str:
    """What variables of one role are called, as the same layer's or slot's of several networks in a graph."""
    return "/".join(re.sub("(_[0-9]+)+$", "", part) for part in name.split("/"))


def _readers(variable: Any) -> List[Any]:
    if variable.type in NEW:
        reads = (op for op in variable.outputs[0].consumers() if op.type in READS)
        return [op for op in reads if op.outputs[0].consumers()]
    found: List[Any] = []
    for op in variable.outputs[0].consumers():
        if not _is_write(op.type) and op.type != "IsVariableInitialized":
            found.append(op)
            if op.type == "Identity":
                found += op.outputs[0].consumers()
    return [op for op in found if not _is_write(op.type)]


def _reached(start: Any, following: Callable[[Any], Iterable[Any]]) -> Set[Any]:
    found: Set[Any] = set()
    waiting = list(following(start))
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += following(op)
    return found


def _ancestors(op: Any) -> Set[Any]:
    return _reached(op, lambda one: [tensor.op for tensor in one.inputs] + list(one.control_inputs))


def _descendants(op: Any) -> Set[Any]:
    return _reached(
        op, lambda one: [user for out in one.outputs for user in out.consumers()] + list(one._control_outputs)
    )


def _placeholders(operations: Set[Any]) -> Set[Any]:
    return {op for op in operations if op.type == "Placeholder"}
