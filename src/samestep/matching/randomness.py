"""Shared randomness: the random layers of both programs draw the same numbers, so that their training can be compared.

The draws of a forward pass in training mode are listed on both sides and paired in order, by kind and shape up to the
order of axes; what the axes leave open is settled by what the programs compute. See frameworks/_randomness.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samestep.frameworks import _rows
from samestep.matching import twins
from samestep.matching.sides import Sides

Rows = Any
Draw = Mapping[str, Any]
"""{"kind": distribution, "shape": […]} of one random draw."""
Plan = list[dict[str, Any] | None]
"""For each draw of a side what frameworks/_randomness.py says: which left draw it stands for, and in which order of axes."""
MOST_TRIALS = 60
"""Forward passes spent at most on what the axes of the draws leave open."""


Drawing = tuple[dict[str, Any] | None, dict[str, Any] | None]
"""The arguments of the request by which each side draws from the shared stream; None where neither draws."""


def share(sides: Sides, x: tuple[Rows, Rows], seed: int) -> Drawing:
    """Let both programs draw the same numbers from now on, if they draw any. x: rows for either side."""
    left, right = (
        [_with_rows(draw, _rows.count(rows)) for draw in worker.ask("draws", x=rows) if "loop" not in draw]
        for worker, rows in zip((sides.left, sides.right), x, strict=True)
    )
    if not left and not right:
        return None, None
    plan = pair_draws(left, right)
    sides.left.ask("randomness", seed=seed, plan=None)
    best, score = plan, _score(sides, x, seed, plan)
    for trial, other in enumerate(_other_plans(left, right, plan)):
        if score[0] or trial == MOST_TRIALS:
            break
        tried = [other[n] if other[n] != plan[n] else entry for n, entry in enumerate(best)]
        reached = _score(sides, x, seed, tried)
        if reached > score:
            best, score = tried, reached
    sides.right.ask("randomness", seed=seed, plan=best)
    return {"seed": seed, "plan": None}, {"seed": seed, "plan": best}


def pair_draws(left: Sequence[Draw], right: Sequence[Draw]) -> Plan:
    """The plan of the right side: in order, each with the next left draw of its kind and sizes.

    A draw without a twin has no entry: its numbers are its own.
    """
    plan: Plan = []
    free = list(range(len(left)))
    for draw in right:
        number = next((n for n in free if _key(left[n]) == _key(draw)), None)
        if number is None:
            plan.append(None)
            continue
        free.remove(number)
        plan.append({"draw": number, "axes": _axes(left[number]["shape"], draw["shape"])[0]})
    return plan


def _key(draw: Draw) -> tuple[Any, ...]:
    """What two draws have in common that can stand for each other; a bernoulli draw compares a uniform one with its rate."""
    kind = "uniform" if draw["kind"] == "bernoulli" else draw["kind"]
    return kind, sorted(size for size in draw["shape"] if size > 1)


def _with_rows(draw: Draw, rows: int) -> Draw:
    """The draw with the size that its framework leaves open, that of the batch."""
    return {**draw, "shape": [rows if size < 0 else size for size in draw["shape"]]}


def _axes(left: Sequence[int], right: Sequence[int]) -> list[list[int] | None]:
    """The orders of axes in which a left draw has the right one's shape, the likeliest first; None: as it is."""
    if len(left) != len(right):
        return [None]  # axes merged or of size 1: the elements lie in the same order
    same, rest = list(range(len(left))), list(range(1, len(left)))
    moved = [same, [0, *rest[-1:], *rest[:-1]], [0, *rest[1:], *rest[:1]]]
    moved += [list(axes) for axes in itertools.permutations(same)] if len(same) <= 4 else []
    fitting = [axes for axes in moved if [left[axis] for axis in axes] == list(right)]
    unique = [list(axes) for axes in dict.fromkeys(map(tuple, fitting))]
    return [None if axes == same else axes for axes in unique] or [None]


def _other_plans(left: Sequence[Draw], right: Sequence[Draw], plan: Plan) -> Iterator[Plan]:
    """The plan with one draw turned round or in another order of axes, or with the twins of two draws exchanged."""
    for number, entry in enumerate(plan):
        if entry is not None:
            ways = _axes(left[entry["draw"]]["shape"], right[number]["shape"])
            for axes, flip in list(itertools.product(ways, (False, True)))[1:]:
                yield [*plan[:number], {**entry, "axes": axes, "flip": flip}, *plan[number + 1 :]]
    for one, other in itertools.combinations(range(len(plan)), 2):
        if _key(right[one]) == _key(right[other]):
            yield [plan[{one: other, other: one}.get(n, n)] for n in range(len(plan))]


def _score(sides: Sides, x: tuple[Rows, Rows], seed: int, plan: Plan) -> tuple[bool, int]:
    """How far both sides agree in training mode under a plan."""
    state = sides.left.ask("state")
    before = sides.right.ask("state")
    sides.right.ask("randomness", seed=seed, plan=plan)
    sides.right.ask("state", values=sides.to_right(state))
    left, right = (
        worker.ask("forward", x=rows, training=True) for worker, rows in zip((sides.left, sides.right), x, strict=True)
    )
    sides.right.ask("state", values=before)
    return twins.agreement(left, right)
