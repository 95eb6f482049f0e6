"""Distributions that initial weights are drawn from, and the tests that tell whether a draw can be of one.

A rule is accepted unless what was drawn would be rarer than RARE under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]

RARE = 1e-4
"""Probability below which a draw is not taken for one of a distribution; the rule that it came from is kept 999 times in 1000."""
ZERO, CONSTANT, UNIFORM = "zeros", "constant", "uniform"
NORMAL, TRUNCATED, ORTHOGONAL = "normal", "truncated_normal", "orthogonal"
FANS = ("fan_in", "fan_avg", "fan_out")
SQUARES = (1.0, 2.0, 1 / 3, 0.5, 4.0, 25 / 9, 3.0, 6.0)
"""Squares of gains: LeCun, Glorot (1), He (2), PyTorch's kaiming_uniform_ with a = sqrt(5) (1/3), tanh (25/9)."""
SPREADS = {NORMAL: (1.0, 0.1, 0.05, 0.02, 0.01), TRUNCATED: (0.05, 0.02, 0.01), UNIFORM: (0.05, 0.1, 0.01, 1.0)}
"""Usual standard deviations, or bounds, that go by no fan: keras.initializers.RandomNormal, torch.nn.Embedding."""
CUT = 2.0
"""Standard deviations at which a truncated normal distribution is cut off."""


@dataclass(frozen=True)
class Rule:
    """A distribution; scale: its standard deviation times the root of the fan, or its parameter where there is no fan."""

    distribution: str
    fan: str | None = None
    scale: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """All that may differ."""
        return {"distribution": self.distribution, "fan": self.fan, "scale": self.scale}


def rules(array: Array, fans: dict[str, float]) -> set[Rule]:
    """The rules that this array can be a draw of; fans: {"fan_in": …} of a kernel, empty for other tensors."""
    flat = array.astype(np.float64).ravel()
    if np.ptp(flat) == 0:
        return {Rule(CONSTANT, None, float(flat[0])) if flat[0] else Rule(ZERO)}
    gain = _orthogonal_gain(array)
    if gain is not None:
        return {Rule(ORTHOGONAL, None, float(f"{gain:.4g}"))}
    return {rule for rule in _candidates(fans) if _can_be(flat, rule, fans)}


def scaled_rules(factor: float, fans: dict[str, float]) -> set[tuple[Rule, Rule]]:
    """Pairs of rules of one distribution, of which the second one spreads by this factor more widely than the first."""
    every = [(rule, spread(rule, fans)) for rule in _candidates(fans)]
    return {
        (one, other)
        for (one, narrow), (other, wide) in product(every, every)
        if one.distribution == other.distribution and np.isclose(narrow * factor, wide, rtol=1e-5, atol=0)
    }


def shape_of(array: Array) -> set[str]:
    """The distributions that this array can be a draw of, whatever their scale."""
    flat = array.astype(np.float64).ravel()
    spread = float(np.sqrt(np.mean(flat**2)))
    return {kind for kind in (UNIFORM, NORMAL, TRUNCATED) if _ks(flat, kind, spread) > RARE}


def fans_of(shape: tuple[int, ...], outputs_first: bool) -> dict[str, float]:
    """The fans of a kernel: of shape (…, in, out), or (out, in, …) as in PyTorch; none of what is no kernel."""
    if len(shape) < 2:
        return {}
    field = float(np.prod(shape[2:] if outputs_first else shape[:-2], dtype=float))
    fan_in, fan_out = (shape[1], shape[0]) if outputs_first else (shape[-2], shape[-1])
    return {"fan_in": fan_in * field, "fan_avg": (fan_in + fan_out) * field / 2, "fan_out": fan_out * field}


def _candidates(fans: dict[str, float]) -> Iterator[Rule]:
    for distribution in (UNIFORM, NORMAL, TRUNCATED):
        for fan in FANS if fans else ():
            for square in SQUARES:
                yield Rule(distribution, fan, float(np.sqrt(square)))
        for spread in SPREADS[distribution]:
            yield Rule(distribution, None, spread)


def _can_be(flat: Array, rule: Rule, fans: dict[str, float]) -> bool:
    """Kolmogorov and Smirnov's test, which is weak in the scale, and one of the mean square."""
    size = spread(rule, fans)
    kurtosis = float(_standard(rule.distribution).stats("k")) + 3.0
    deviation = (np.mean(flat**2) / size**2 - 1) / np.sqrt((kurtosis - 1) / flat.size)
    if rule.distribution == UNIFORM and np.max(np.abs(flat)) > size * np.sqrt(3) * (1 + 1e-6):
        return False
    return 2 * stats.norm.sf(abs(deviation)) > RARE and _ks(flat, rule.distribution, size) > RARE


def spread(rule: Rule, fans: dict[str, float]) -> float:
    """The standard deviation of a rule; a fan's rule is for the deviation, one without a fan for the parameter."""
    scale = rule.scale or 0.0
    if rule.fan is not None:
        return scale / float(np.sqrt(fans[rule.fan]))
    return scale * {UNIFORM: 1 / float(np.sqrt(3)), NORMAL: 1.0, TRUNCATED: _cut_spread()}[rule.distribution]


def _ks(flat: Array, distribution: str, spread: float) -> float:
    return float(stats.kstest(flat / spread, _standard(distribution).cdf).pvalue)


@cache
def _standard(distribution: str) -> Any:
    """A distribution of standard deviation 1."""
    if distribution == UNIFORM:
        return stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))
    return stats.norm() if distribution == NORMAL else stats.truncnorm(-CUT, CUT, scale=1 / _cut_spread())


@cache
def _cut_spread() -> float:
    """The standard deviation of a standard normal distribution that is cut off: 0.8796."""
    return float(stats.truncnorm(-CUT, CUT).std())


def _orthogonal_gain(array: Array) -> float | None:
    """The factor by which rows or columns are orthonormal, if they are: keras.initializers.Orthogonal."""
    if array.ndim < 2:
        return None
    matrix = array.reshape(-1, array.shape[-1]).astype(np.float64)
    for one in (matrix, array.reshape(array.shape[0], -1).astype(np.float64)):
        small = one @ one.T if one.shape[0] <= one.shape[1] else one.T @ one
        gain = float(np.mean(np.diag(small)))
        if len(small) > 2 and gain > 0 and np.allclose(small, gain * np.eye(len(small)), atol=1e-4 * gain):
            return float(np.sqrt(gain))
    return None
