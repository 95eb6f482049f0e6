"""What a slot of an optimizer written by hand holds, told by trial and not by its name."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from samestep.frameworks import _pytensor_graph

SMALL = 1e-5
"""Gradients of this size are touched by no clipping."""


def told(
    updates: Dict[Any, Any], parameters: Dict[str, Any], cut: Dict[str, List[Any]], owned: Sequence[Tuple[Any, str]]
) -> List[str]:
    """Roles of slots, each given with the name of its parameter; "" where the update is none of the common rules.

    The updates are run on slots and gradients of one constant each, with parameters of zero: a mean of gradients takes up
    1 − β of a gradient and keeps β of itself, a mean of squares grows fourfold with twice the gradient, and so on.
    """
    run, count = _trial(updates, parameters, cut, owned), len(owned)
    with np.errstate(all="ignore"):
        start = run(*[0.0] * count, 0.0)
        seen = {g: run(*[0.0] * count, g * SMALL) for g in (1, 2, -1)}
        kept, twice = run(*[1.0] * count, 0.0), run(*[2.0] * count, 0.0)
        roles = [
            ""
            if start[n] or not _near(twice[n], 2 * kept[n])
            else _role(float(kept[n]), *(float(seen[g][n]) / SMALL for g in (1, 2, -1)))
            for n in range(count)
        ]
        moved = run(*[{"first_moment": 0.5, "mean_square": 1.0}.get(role, 0.0) for role in roles], 0.0)[count:]
    # Adam moves its parameter by the mean gradient; centered RMSprop only subtracts its square
    return ["mean_gradient" if r == "first_moment" and not m else r for r, m in zip(roles, moved)]


def _role(kept: float, one: float, two: float, minus: float) -> str:
    """kept: of a slot of 1 without gradient; the others: what a slot of 0 takes up of gradients of 1, 2 and −1."""
    if _near(two, 2 * one) and _near(minus, -one):
        return _linear(kept, one)
    if _near(two, 4 * one) and _near(minus, one):
        return _squared(kept, one / SMALL)
    if _near(two, 2 * one) and _near(minus, one) and _near(one, 1):
        return "infinity_norm"
    return ""


def _near(one, other):
    return abs(one - other) <= 1e-3 * abs(other)


def _linear(kept: float, one: float) -> str:
    if _near(one, 1):
        return "momentum"
    if kept < 1 and _near(one, 1 - kept):
        return "first_moment"
    return "rated_momentum" if one < 0 else ""


def _squared(kept: float, one: float) -> str:
    if kept < 1:
        return "mean_square" if _near(one, 1 - kept) else ""
    return "accumulator" if _near(one, 1) else "max_second_moment"


def _trial(updates, parameters, cut, owned):
    """From a constant for each slot and one for all gradients to one element of each new slot and of its parameter."""
    kept, gradient = [pt.dscalar() for _ in owned], pt.dscalar()
    by = {slot: _filled(slot, number) for (slot, _), number in zip(owned, kept)}
    for name, parameter in parameters.items():
        by[parameter] = _filled(parameter, 0.0)
        by.update((place, _filled(parameter, gradient)) for place in cut[name])
    watched = [*(slot for slot, _ in owned), *(parameters[owner] for _, owner in owned)]
    news = [new.ravel()[0] for new in _pytensor_graph.replaced([updates[v] for v in watched], by)]
    mode = Mode("py", None)  # a few tiny runs: nothing is worth compiling
    return pytensor.function([*kept, gradient], news, mode=mode, on_unused_input="ignore")


def _filled(variable, number):
    return pt.zeros_like(variable) + pt.cast(number, variable.type.dtype)
