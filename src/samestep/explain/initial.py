"""Why initial values differ: the distribution or scale that each side draws its weights from, or what its slots start from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fixes.initial import initial_cause
from samestep.explain.references.initial import TRUNCATED, Rule, fans_of, rules, scaled_rules, shape_of
from samestep.matching.judging import Comparison
from samestep.results import Cause

Array = NDArray[Any]

PREFERRED_FANS = ("fan_in", "fan_avg", "fan_out", None)
"""Which fan is told where several explain as well."""
GATES = 4
"""Gates of an LSTM, whose biases lie one behind the other; the second one forgets in Keras and in PyTorch."""


@dataclass(frozen=True)
class _Pair:
    """A tensor as each side would start with it, and its fans."""

    name: str
    arrays: tuple[Array, Array]
    fans: dict[str, float]

    @property
    def scaled(self) -> set[tuple[Rule, Rule]]:
        """The rules of both that one draw can come from, if the right one is the left one times a number; else none."""
        one, other = (array.astype(np.float64).ravel() for array in self.arrays)
        factor = float(one @ other) / (float(one @ one) or 1.0)
        if factor <= 0 or not np.allclose(other, factor * one, rtol=1e-5, atol=0):
            return set()
        left, right = self.rules
        return {pair for pair in scaled_rules(factor, self.fans) if pair[0] in left and pair[1] in right}

    @property
    def rules(self) -> tuple[set[Rule], set[Rule]]:
        """The rules that each side's can be a draw of."""
        return rules(self.arrays[0], self.fans), rules(self.arrays[1], self.fans)


def explain_init(case: Case, worst: Comparison) -> Explanation:
    """The rules by which initial values are drawn, where they differ."""
    slots = _of_slots(case)
    if slots:
        return Explanation((slots,))
    pairs = list(_pairs(case))
    kernels = [pair for pair in pairs if pair.fans]
    told = [*_of_kernels(kernels), *_of_vectors([pair for pair in pairs if not pair.fans])]
    if not told:
        return Explanation(ruled_out="no known distribution gives the initial values of both sides")
    return Explanation(tuple(initial_cause(case, *difference) for difference in told))


def _of_slots(case: Case) -> Cause | None:
    """Slots that start from another constant."""
    start, other = case.starts[0]["slots"], case.sides.to_left(case.starts[1])["slots"]
    for name, value in other.items():
        one = start[name]
        if one.size and np.ptp(one) == 0 and np.ptp(value) == 0 and one.flat[0] != value.flat[0]:
            left, right = (float(f"{side.flat[0]:.6g}") for side in (one, value))
            return initial_cause(case, "initial_accumulator", left, right, name, True, "optimizer")
    return None


def _pairs(case: Case) -> Iterator[_Pair]:
    """Parameters of both sides, in the left side's layout."""
    left, right = case.starts[0]["parameters"], case.sides.to_left(case.starts[1])["parameters"]
    outputs_first = case.frameworks[0] == "torch"
    for name, array in left.items():
        if name in right:
            yield _Pair(name, (array, right[name]), fans_of(array.shape, outputs_first))


Difference = tuple[str, Any, Any, str, bool]
"""Setting, left and right value, the tensors' names, and whether it is confirmed."""


def _of_kernels(pairs: list[_Pair]) -> list[Difference]:
    """What sets the rules of kernels that differ apart."""
    differ = [pair for pair in pairs if not np.array_equal(*pair.arrays)]
    return _of_one_draw(differ) or _of_draws(differ)


def _of_one_draw(pairs: list[_Pair]) -> list[Difference]:
    """Where both sides scale the same draws: the rules whose spreads have just that ratio in all kernels."""
    allowed = [pair.scaled for pair in pairs]
    return _told(set.intersection(*allowed), pairs) if all(allowed) and pairs else []


def _of_draws(pairs: list[_Pair]) -> list[Difference]:
    """What the rules that hold for all kernels of one side have not in common with those of the other side."""
    ruled = [(pair, *pair.rules) for pair in pairs]
    apart = [(pair, left, right) for pair, left, right in ruled if not left & right]
    if not apart:
        return []
    ours = set.intersection(*(left for _, left, _ in apart))
    theirs = set.intersection(*(right for *_, right in apart))
    if not ours or not theirs:
        return _by_shape(apart[0][0])
    return _told(product(ours, theirs), [pair for pair, *_ in apart])


def _told(rules_of_both: Iterable[tuple[Rule, Rule]], pairs: list[_Pair]) -> list[Difference]:
    """The settings in which the likeliest rules of both sides differ; none if there are no rules."""
    likely = sorted(rules_of_both, key=_unlikeliness)
    if not likely:
        return []
    names = ", ".join(pair.name for pair in pairs)
    told = [_differing(*pair) for pair in likely if len(_differing(*pair)) == len(_differing(*likely[0]))]
    left, right = (rule.told for rule in likely[0])
    sure = all(names == told[0] for names in told)
    return [(name, _number(left[name]), _number(right[name]), names, sure) for name in told[0]]


def _differing(left: Rule, right: Rule) -> list[str]:
    return [name for name, value in left.told.items() if value != right.told[name]]


def _by_shape(pair: _Pair) -> list[Difference]:
    """The distribution, or the spread, where no known rule has the scale."""
    shapes = [shape_of(array) for array in pair.arrays]
    if all(shapes) and not shapes[0] & shapes[1]:
        return [("distribution", sorted(shapes[0])[0], sorted(shapes[1])[0], pair.name, False)]
    one, other = (float(f"{np.std(array.astype(np.float64)):.3g}") for array in pair.arrays)
    return [("standard_deviation", one, other, pair.name, False)]


def _of_vectors(pairs: list[_Pair]) -> list[Difference]:
    """Biases and scales: constants, a forget gate's bias of one, or draws."""
    for pair in pairs:
        forgets = [_forgets(array) for array in pair.arrays]
        if None not in forgets and forgets[0] != forgets[1]:
            return [("unit_forget_bias", forgets[0], forgets[1], pair.name, True)]
    for pair in pairs:
        left, right = (_kind_of_vector(array) for array in pair.arrays)
        if left and right and left != right:
            return [("bias_distribution", left, right, pair.name, True)]
    return []


def _forgets(array: Array) -> bool | None:
    """Whether an LSTM's biases are those of Keras's unit_forget_bias; None if they are neither that nor zero."""
    flat = array.ravel()
    if not flat.any():
        return False
    blocks = flat.reshape(GATES, -1) if flat.size % GATES == 0 else flat[None]
    gates = [float(block[0]) if np.ptp(block) == 0 else np.nan for block in blocks]
    return True if sorted(gates) == [0.0, 0.0, 0.0, 1.0] else None


def _kind_of_vector(array: Array) -> str:
    """Zeros, a constant, or draws."""
    if np.ptp(array) == 0:
        return "zeros" if not array.any() else f"constant {array.flat[0]:g}"
    return "random"


def _unlikeliness(pair: tuple[Rule, Rule]) -> tuple[int, int, float, float]:
    """A small draw of one distribution may well be one of another: the likelier one is told."""
    fans = [PREFERRED_FANS.index(rule.fan) for rule in pair]
    cut = sum(rule.distribution == TRUNCATED for rule in pair)
    return len(_differing(*pair)), cut, sum(fans), sum(abs(np.log(r.scale or 1)) for r in pair)


def _number(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else value
