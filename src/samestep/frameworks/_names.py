"""Names under which tensors are shown, the same in every adapter. No framework is imported."""

from __future__ import annotations

from typing import Any, Dict, Iterable


def free_name(name: str, taken: Any) -> str:
    """The name, or name#2, #3, … where it is taken."""
    free, count = name, 2
    while free in taken:
        free, count = "{}#{}".format(name, count), count + 1
    return free


def by_name(variables: Iterable[Any]) -> Dict[str, Any]:
    """{name: variable}, without TensorFlow's ":0"."""
    named: Dict[str, Any] = {}
    for variable in variables:
        named[free_name(str(variable.name).split(":")[0], named)] = variable
    return named


def named_outputs(outputs: Iterable[Any]) -> Dict[str, Any]:
    """Outputs in their order as "output", "output_1", …"""
    return {"output" if i == 0 else "output_{}".format(i): value for i, value in enumerate(outputs)}
