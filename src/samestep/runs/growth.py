"""How a difference of two runs grows, and what that looks like: rounding, or something else.

Only norms, the loss and other scalars are at hand, so this is a hint: `samestep match` measures what rounding does.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from samestep.results import Growth
from samestep.runs.format import Segment
from samestep.runs.pairing import Item, Pairing, Rows
from samestep.runs.reading import Block

OFFSETS = (0, *(figure * 10**power for power in range(12) for figure in (1, 2, 5)))
"""Rows after the first that differs, at which growth is looked at."""
FEW_ULPS = 16.0
"""So far apart, at most, rounding puts the norms of tensors and the loss at first: a few roundings of a sum."""
LARGE_ULPS = 1e4
"""A thousandth, in float32: no rounding starts so large."""
GRADUAL = 1e3
"""Rounding grows by no more from a step to the next; it doubles in some steps where training is chaotic."""
NEAR = 10
"""Steps after the first in which growth has to be gradual; rows lie farther apart than a step after them."""
ULP = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}
"""Of 1.0. A float64 is held against float32 as well, since what it is made of may be."""

Twins = Callable[[Segment, Segment], Pairing]


def growth(first: int, left: list[Block], right: list[Block], twins: Twins) -> tuple[Growth, ...]:
    """How far apart a source's rows are from this one on, closely at first and then ever wider, and at the last."""
    ours, theirs = Rows(left), Rows(right)
    last = min(ours.count, theirs.count) - 1
    rows = sorted({*(first + offset for offset in OFFSETS if first + offset < last), last})
    return tuple(_apart(*ours.at(row), *theirs.at(row), twins) for row in rows)


def _apart(left: Block, at_left: int, right: Block, at_right: int, twins: Twins) -> Growth:
    pairing = twins(left.segment, right.segment)
    scalars = [
        (item, _relative(left.scalar(item.places[0])[at_left], right.scalar(item.places[1])[at_right]))
        for item in pairing.scalars
    ]
    norms = [
        (item, _relative(left.norms[at_left, item.places[0]], right.norms[at_right, item.places[1]]))
        for item in pairing.tensors
        if item.kind != "generator"
    ]
    ulps = [(apart / ULP["float32"], item.label) for item, apart in scalars if item.kind != "scalar"]
    for item, apart in norms:
        dtype = left.segment.entries[item.places[0]].dtype
        ulps.append((apart / ULP.get(dtype, ULP["float32"]), item.label))
    most, name = max(ulps, key=lambda pair: pair[0], default=(0.0, ""))
    norm = max((apart for _, apart in norms), default=None)
    loss = next((apart for item, apart in scalars if item.kind == "loss"), None)
    return Growth(int(left.step[at_left]), norm, loss, most, name if most else None)


def _relative(left: float, right: float) -> float:
    """|left - right| as a share of the larger; 0 of two NaN, infinite where one is no number."""
    left, right = float(left), float(right)
    if left == right or (left != left and right != right):
        return 0.0
    apart = abs(left / 2 - right / 2) / (max(abs(left), abs(right)) / 2 or 5e-324)
    return apart if apart == apart else float("inf")


def looks_like(items: list[Item], apart: tuple[Growth, ...]) -> Literal["rounding", "jump", "unclear"]:
    """Rounding starts small, in what is computed from equal parameters and batches, and grows bit by bit."""
    kinds = {item.kind for item in items}
    start = apart[0].ulps if apart else float("inf")
    if kinds & {"batch", "step", "number of steps"} or start >= LARGE_ULPS:
        return "jump"
    computed = kinds & {"loss", "gradient", "update", "buffer"} and "learning rate" not in kinds
    return "rounding" if computed and start <= FEW_ULPS and _gradual(apart) else "unclear"


def _gradual(apart: tuple[Growth, ...]) -> bool:
    near = [at for at in apart if at.step <= apart[0].step + NEAR]
    return all(
        later.ulps <= max(at.ulps, 1.0) * GRADUAL ** max(1, later.step - at.step) for at, later in pairwise(near)
    )
