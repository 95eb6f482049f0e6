"""Penalties of parameters, as losses add them: an amount times the sum of absolute values (L1) or of squares (L2).

Keras: keras/src/regularizers/regularizers.py, whose L2 is not halved. Halves of sums of squares, as tf.nn.l2_loss has them, and
weight decay of a gradient show as half the amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from samestep.explain.fitting import Evidence
from samestep.matching import floor

Array = NDArray[Any]
Group = tuple[str, ...]

TENSORS = 24
"""So many tensors are looked at one by one; of more, all matrices at once and all others."""


@dataclass(frozen=True)
class Penalty:
    """The amounts of both penalties for each tensor that has one."""

    l1: Mapping[str, float]
    l2: Mapping[str, float]

    def renamed(self, names: Mapping[str, str]) -> Penalty:
        """With other names of the tensors."""
        return Penalty(*({names.get(n, n): amount for n, amount in part.items()} for part in (self.l1, self.l2)))


def groups(parameters: Mapping[str, Array]) -> list[Group]:
    """The tensors whose amounts are looked for together."""
    names = [name for name, array in parameters.items() if array.dtype.kind == "f"]
    if len(names) <= TENSORS:
        return [(name,) for name in names]
    halves = [tuple(n for n in names if (parameters[n].ndim > 1) == matrices) for matrices in (True, False)]
    return [half for half in halves if half]


def sums(parameters: Mapping[str, Array], found: Sequence[Group]) -> Array:
    """The sums of absolute values of each group, and then those of squares."""
    arrays = [np.concatenate([parameters[name].astype(np.float64).ravel() for name in group]) for group in found]
    return np.array([np.sum(np.abs(a)) for a in arrays] + [np.sum(a**2) for a in arrays])


def fitted(columns: Array, found: Sequence[Group], evidence: Evidence, data: Array) -> Penalty | None:
    """The penalty, as round and of as few tensors as may be, that is left of the losses seen when the data's part is gone.

    columns: `sums` at each state; data: the loss of the data there. None if no penalty explains what is left.
    """
    amounts = _least(columns, evidence, data)
    if not _times(columns, evidence, data, amounts) < floor.ROUNDING:
        return None
    for number in np.argsort((amounts * columns).max(axis=0)):
        kept = np.where(np.arange(len(amounts)) == number, 0.0, amounts) > 0
        fewer = np.zeros(len(amounts))
        fewer[kept] = _least(columns[:, kept], evidence, data) if kept.any() else 0.0
        amounts = fewer if _times(columns, evidence, data, fewer) < floor.ROUNDING else amounts
    amounts = _rounded(columns, evidence, data, amounts)
    of = [
        {n: float(a) for group, a in zip(found, part, strict=True) for n in group if a} for part in np.split(amounts, 2)
    ]
    return Penalty(of[0], of[1])


def _least(columns: Array, evidence: Evidence, data: Array) -> Array:
    sizes = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    weights = 1 / evidence.tolerance
    solved = nnls(columns / sizes * weights[:, None], (evidence.seen - data) * weights)[0]
    return np.asarray(solved / sizes)


def _times(columns: Array, evidence: Evidence, data: Array, amounts: Array) -> float:
    return evidence.times(data + columns @ amounts)


def _rounded(columns: Array, evidence: Evidence, data: Array, amounts: Array) -> Array:
    """One amount of each penalty for all tensors that have any, or amounts of their own, with the fewest digits that fit."""
    halves = np.split(amounts, 2)
    common = np.concatenate(
        [np.where(half > 0, np.median(half[half > 0]) if half.any() else 0.0, 0.0) for half in halves]
    )
    for start in (common, amounts):
        for digits in range(1, 6):
            near = np.array([float(f"{amount:.{digits}g}") for amount in start])
            if _times(columns, evidence, data, near) < floor.ROUNDING:
                return near
    return amounts
