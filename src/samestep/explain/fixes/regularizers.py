"""The line that gives a program a regulariser, in its own framework's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.explain.references.penalties import Penalty
from samestep.results import Cause

PENALTIES = {"l1": "p.abs().sum()", "l2": "(p ** 2).sum()"}
ARRAYS = {"l1": "jnp.sum(jnp.abs(p))", "l2": "jnp.sum(p ** 2)"}
TENSORS = {"l1": "tf.reduce_sum(tf.abs(p))", "l2": "tf.reduce_sum(p ** 2)"}


def regularizer_line(framework: str, setting: str, value: Any, tensors: Sequence[str] = ()) -> str:
    """The line that makes the loss have this amount of a penalty on these tensors; l2 is that of the sum of squares."""
    where = f" of {', '.join(tensors)}" if tensors else ""
    if isinstance(value, Mapping):
        amounts = {amount for amount in value.values() if amount}
        lines = [
            regularizer_line(framework, setting, a, [n for n, b in value.items() if b == a]) for a in sorted(amounts)
        ]
        return ", ".join(lines)
    if not value:
        return f"no {setting} penalty{where or ' on the parameters'}"
    amount = shown(float(value))
    if framework in ("keras", "tf_keras", "keras2"):
        layers = where or " of the parameters"
        home = "tf_keras" if framework == "tf_keras" else "keras"
        return f"kernel_regularizer={home}.regularizers.{setting.upper()}({amount}) (or bias_regularizer) in the layers{layers}"
    if framework == "jax":
        return f"loss + {amount} * sum({ARRAYS[setting]} for p in parameters{where})"
    if framework in ("tensorflow", "tensorflow1"):
        return f"loss + {amount} * sum({TENSORS[setting]} for p in variables{where})"
    decay = f", in SGD the same as weight_decay={shown(2 * float(value))}" if setting == "l2" else ""
    return f"loss + {amount} * sum({PENALTIES[setting]} for p in parameters{where}){decay}"


def penalty_causes(case: Case, left: Penalty, right: Penalty) -> list[Cause]:
    """The penalties in which the losses differ: their amounts, or the tensors that have them. Names are the left side's."""
    causes = []
    for setting, one, other in (("l1", left.l1, right.l1), ("l2", left.l2, right.l2)):
        fix = both_ways(case, partial(_line, case, setting, (other, one)))
        if _amount(one) != _amount(other):
            causes.append(Cause("regularizer", setting, _amount(one), _amount(other), True, fix))
        elif one.keys() != other.keys():
            causes.append(Cause("regularizer", "tensors", list(one), list(other), True, fix))
    return causes


def _line(case: Case, setting: str, theirs: Sequence[Mapping[str, float]], framework: str, side: int) -> str:
    """The line that gives a side the amounts of the other one, which are `theirs` of its place."""
    return regularizer_line(framework, setting, _amount(theirs[side]), _named(case, theirs[side], side))


def _amount(amounts: Mapping[str, float]) -> Any:
    """The amount where all tensors that have one have the same, else each one's."""
    values = set(amounts.values()) or {0.0}
    return values.pop() if len(values) == 1 else dict(amounts)


def _named(case: Case, amounts: Mapping[str, float], side: int) -> list[str]:
    """The tensors as this side calls them."""
    return [case.sides.right_name(name) if side else name for name in amounts]
