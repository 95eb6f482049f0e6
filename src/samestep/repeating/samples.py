"""One program's trainings, and two of them side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from samestep.errors import UsageError
from samestep.repeating.resampling import Floats

FEWEST_PAIRS = 6
"""Below which signs cannot reach a p-value of 0.05."""
GOES_TOGETHER = 0.05
"""P-value of the rank correlation of two groups over seeds, up to which they are paired."""


@dataclass(frozen=True)
class Sample:
    """Values by seed, those of diverged trainings not finite; errors of trainings that have none."""

    name: str
    values: Mapping[int, float]
    errors: Mapping[int, str]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of all trainings, in order."""
        return tuple(sorted({*self.values, *self.errors}))

    @property
    def finite(self) -> dict[int, float]:
        """Of trainings that ended well, in the order of seeds."""
        return {seed: self.values[seed] for seed in sorted(self.values) if math.isfinite(self.values[seed])}

    @property
    def diverged(self) -> tuple[int, ...]:
        """Seeds whose value is not finite."""
        return tuple(seed for seed in sorted(self.values) if not math.isfinite(self.values[seed]))

    @property
    def lost(self) -> int:
        """How many trainings have no finite value."""
        return len(self.seeds) - len(self.finite)


@dataclass(frozen=True)
class Two:
    """Two samples as arrays, in the same order of seeds where they are paired.

    left and right are of trainings that ended well; all_left and all_right of all of them, higher being better and those
    without a finite value −∞.
    """

    paired: bool
    left: Floats
    right: Floats
    all_left: Floats
    all_right: Floats


def side_by_side(left: Sample, right: Sample, paired: bool, sign: int) -> Two:
    """The arrays, of shared seeds where they are paired; sign: 1 where higher is better, −1 where lower is."""
    samples = (left, right)
    if not paired:
        ended = [tuple(sample.finite) for sample in samples]
        every = [sample.seeds for sample in samples]
    else:
        shared = _shared(left, right)
        ended = [tuple(seed for seed in shared if seed in left.finite and seed in right.finite)] * 2
        every = [shared] * 2
    well = (_values(sample, seeds, 1) for sample, seeds in zip(samples, ended, strict=True))
    return Two(paired, *well, *(_values(sample, seeds, sign) for sample, seeds in zip(samples, every, strict=True)))


def _shared(left: Sample, right: Sample) -> tuple[int, ...]:
    shared = tuple(seed for seed in left.seeds if seed in right.seeds)
    if not shared:
        raise UsageError(
            f"{left.name} and {right.name} cannot be paired: they share no seed. Train both from the same ones, or do not pair."
        )
    return shared


def _values(sample: Sample, seeds: tuple[int, ...], sign: int) -> Floats:
    finite = sample.finite
    return np.array([sign * finite[seed] if seed in finite else -math.inf for seed in seeds], dtype=float)


def go_together(left: Sample, right: Sample) -> bool:
    """Do the values of the same seed rise and fall together?

    Paired tests are then the sharper ones, and otherwise the blunter. That the values themselves decide it adds at most
    GOES_TOGETHER of the test's error to it: where seeds mean nothing, that is how often pairs are seen that are none.
    """
    seeds = tuple(left.finite)
    if left.seeds != right.seeds or seeds != tuple(right.finite) or len(seeds) < FEWEST_PAIRS:
        return False
    values = [_values(sample, seeds, 1) for sample in (left, right)]
    return bool(min(np.ptp(side) for side in values) > 0 and spearmanr(*values).pvalue <= GOES_TOGETHER)
