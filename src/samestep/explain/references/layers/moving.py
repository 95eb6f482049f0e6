"""Moving averages of a batch normalisation: what a training step makes of them.

torch/nn/functional.py, batch_norm (momentum is the share of the new, variance unbiased); keras/src/layers/normalization
(momentum is the share kept, variance biased); tensorflow/core/kernels/fused_batch_norm_op.cc (variance unbiased).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.normalizations import BIASED, UNBIASED

Array = NDArray[Any]


@dataclass(frozen=True)
class Average:
    """A moving average before a step, and what the batch has in its place; count: numbers behind a variance, 0 for a mean."""

    before: Array
    batch: Array
    count: int


def update(averages: Sequence[Average], s: Settings) -> Array:
    """The averages after the step; momentum is the share of the old that is kept."""
    kept = s["momentum"]
    return np.array([kept * one.before + (1 - kept) * _of_batch(one, s) for one in averages])


def _of_batch(one: Average, s: Settings) -> Array:
    unbiased = one.count > 1 and s["variance"] == UNBIASED
    return one.batch * one.count / (one.count - 1) if unbiased else one.batch


def variants() -> Iterator[Variant]:
    """With a variance of either kind."""
    for variance in (BIASED, UNBIASED):
        yield Variant("moving average", {"variance": variance}, {"momentum": 0.9}, update)
