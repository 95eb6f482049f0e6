"""The floor: the measured size of rounding for one tensor at one state, and distances in floors.

A program is run again from the same state with everything that it reads moved by one unit in the last
place, up or down at random. How far a tensor then moves is its floor: no program that rounds otherwise can be
expected to come closer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.results import Verdict

ROUNDING = 10.0
"""Up to so many floors is rounding. Correct ports were seen at 0 to 2.4 (TensorFlow, Keras, PyTorch, JAX, float64)."""
DIFFERENT = 100.0
"""From so many floors on is different. Real differences were seen at hundreds to millions."""
CLEAR = 1e5
"""From so many floors on it is different without asking float64. Rounding was seen to take gradients to 10,900 floors, where
TensorFlow sums 2^15 elements one after another and units at the edge of their ReLU follow."""
DRAWS = 6
"""Siblings measured at first."""
MORE_DRAWS = 24
"""Siblings measured where the first ones leave a doubt: a rare event, such as a unit at the edge of its ReLU, shows up then."""

Array = NDArray[Any]


def moved(value: Any, rng: np.random.Generator, dtype: str | None = None) -> Any:
    """The value with each float in it moved by one ulp up or down at random; other dtypes are left as they are."""
    array = np.asarray(value, dtype)
    if array.dtype.kind != "f":
        return value
    towards = np.where(rng.integers(0, 2, array.shape) == 1, np.inf, -np.inf).astype(array.dtype)
    with np.errstate(over="ignore"):
        shifted = np.nextafter(array, towards)
    # zeros stay: one ulp of zero is a subnormal number, which hardware may flush; so does what would leave the finite
    return np.where((array == 0) | ~np.isfinite(array) | ~np.isfinite(shifted), array, shifted).astype(array.dtype)


def moved_tree(tree: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A nested dict of arrays, each moved as by `moved`."""
    return {k: moved_tree(v, rng) if isinstance(v, Mapping) else moved(v, rng) for k, v in tree.items()}


def moved_settings(settings: Mapping[str, Mapping[str, Any]], rng: np.random.Generator) -> dict[str, float]:
    """Settings moved by one ulp of the precision in which the framework's update holds them."""
    return {name: float(moved(entry["value"], rng, entry["dtype"])) for name, entry in settings.items()}


def times_floor(reference: Array, siblings: Sequence[Array], other: Array, precision: Any = None) -> float:
    """How many floors `other` lies from `reference`: 0.0 where they are equal, infinite where no floor explains it.

    The larger of two ratios: of Euclidean norms (root mean square over the siblings) and of largest elements
    (largest over the siblings), so that neither many small differences nor a single large one is missed. A floor
    is never less than the spacing at the reference's size of the precision in which it was computed, its dtype's unless
    another is given.
    """
    if reference.shape != other.shape:
        return float("inf")
    computed = np.dtype(precision or reference.dtype)
    spacing = float(np.finfo(computed).eps) if computed.kind == "f" else 0.0
    ref, there, near = _finite_parts(reference, other, siblings)
    if ref is None:
        return float("inf")
    gap = there - ref
    if not gap.any():
        return 0.0
    moves = [sibling - ref for sibling in near]
    euclidean = np.sqrt(np.mean([np.sum(move**2) for move in moves])) if moves else 0.0
    largest = max((float(np.max(np.abs(move))) for move in moves), default=0.0)
    return max(
        _ratio(float(np.linalg.norm(gap)), max(float(euclidean), spacing * float(np.linalg.norm(ref)))),
        _ratio(float(np.max(np.abs(gap))), max(largest, spacing * float(np.max(np.abs(ref))))),
    )


def verdict(times: float) -> Verdict:
    """The verdict of a distance in floors."""
    if times == 0.0:
        return "identical"
    if times < ROUNDING:
        return "rounding"
    return "different" if times >= DIFFERENT else "undecided"


def _ratio(distance: float, floor: float) -> float:
    return distance / floor if floor > 0 else (float("inf") if distance > 0 else 0.0)


def _finite_parts(reference: Array, other: Array, siblings: Sequence[Array]) -> tuple[Array | None, Array, list[Array]]:
    """All in float64, without the places where both sides are NaN or the same infinity; None where only one side is.

    A place that turns NaN in a sibling too is left out: rounding decides it.
    """
    ref, there = reference.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    near = [sibling.astype(np.float64).ravel() for sibling in siblings]
    fragile = np.zeros(ref.shape, bool)
    for sibling in near:
        fragile |= np.isfinite(sibling) != np.isfinite(ref)
    odd = ~np.isfinite(ref) | ~np.isfinite(there)
    same = (ref == there) | (np.isnan(ref) & np.isnan(there))
    if np.any(odd & ~same & ~fragile):
        return None, there, near
    keep = ~odd & ~fragile
    return ref[keep], there[keep], [sibling[keep] for sibling in near]
