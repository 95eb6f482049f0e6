"""Which layer, with which settings, makes this output of this input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Evidence, Fit, Variant, fit
from samestep.explain.references.layers import (
    activations,
    attention,
    dropping,
    linear,
    normalizations,
    pooling,
    precisions,
    rearranging,
    recurrent,
)
from samestep.explain.references.layers.examples import Example
from samestep.matching import floor

Array = NDArray[Any]

COMMON: Mapping[str, Sequence[float]] = {
    "epsilon": (1e-5, 1e-3, 1e-6, 1e-7, 1e-8, 1e-12),
    "rate": (0.5, 0.1, 0.2, 0.25, 0.3, 0.4, 0.05),
    "negative_slope": (0.01, 0.2, 0.3, 0.1),
    "scale": (1.0, 0.125, 0.25, 0.5, 2.0),
    "lambda": (0.5, 0.1),
}
"""Usual values, from which a search starts."""
REFINED = 2
"""So many variants, the nearest ones, are refined where none fits with usual numbers; more of activations, which are quick."""
FAR = 1e6
"""So many floors away, refining is hopeless, but of activations."""
POINTS = 3000
"""Elements of each example by which functions of one number are told apart."""
ROWS = 2
"""So many rows of each example are looked at first, where many variants are to be told apart."""
HALF_UNITS = 2.0
"""What computes in half precision is nearer than so many of its spacings to what rounded inputs and tensors give."""
STEEP = 50.0
"""No activation is as steep as this at half of all points."""
Names = Sequence[str]
"""Layers whose tensors may take part, the likeliest first."""


def identify(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """The layers of the first family that reproduces what was seen; none where no known one does."""
    for family in FAMILIES:
        found = family(evidence, training, names)
        if found:
            return found
    return []


def fits_as_well(found: Fit, evidence: Evidence) -> bool:
    """Whether a layer found on one side reproduces the other side too."""
    return _times(found.variant, evidence, found.numbers) < floor.ROUNDING


def identify_joint(evidence: Evidence, names: Names) -> list[Fit]:
    """Layers that may be given several tensors and reproduce what was seen; looked for in a few rows."""
    few = _few_rows(evidence)
    variants = [*pooling.masked(few.given[0]), *attention.dot_products(few.given[0], names)]
    found = search(variants, few, refined=4, limit=1e9, common={"scale": (1.0,)})
    return [one for one in found if fits_as_well(one, evidence)]


def in_half_precision(full: Sequence[Fit], evidence: Evidence) -> list[Fit]:
    """Of layers found on the other side, those that reproduce this one once they compute in half precision."""
    for dtype in precisions.DIGITS:
        halves = [replace(one, variant=precisions.halved(one.variant, dtype)) for one in full]
        found = [one for one in halves if _is_half(one, dtype, evidence)]
        if found:
            return found
    return []


def of_reordered_input(full: Sequence[Fit], evidence: Evidence) -> Iterator[tuple[str, Any, Any, list[Fit]]]:
    """(setting, usual value, this side's, layers found on the other side) that reproduce this one of its input reordered."""
    for ways in zip(*(rearranging.reordered(one.x) for one in evidence.given), strict=True) if full else ():
        given = tuple(replace(one, x=x) for one, (*_, x) in zip(evidence.given, ways, strict=True))
        found = [one for one in full if fits_as_well(one, replace(evidence, given=given))]
        if found:
            yield (*ways[0][:3], found)


def _is_half(half: Fit, dtype: str, evidence: Evidence) -> bool:
    """Whether the layer gives what was seen, or what was seen is rounded to that precision and as near as that allows."""
    if fits_as_well(half, evidence):
        return True
    if precisions.precision_of(evidence.seen) != dtype:
        return False
    said = half.variant.compute(evidence.given, {**half.variant.choices, **half.numbers})
    return all(precisions.units(*rows, dtype) < HALF_UNITS for rows in zip(evidence.seen, said, strict=True))


def search(
    variants: Iterable[Variant],
    evidence: Evidence,
    refined: int = REFINED,
    limit: float = FAR,
    common: Mapping[str, Sequence[float]] = COMMON,
) -> list[Fit]:
    """The variants that reproduce what was seen, with usual numbers if some do, else with numbers near the best of them."""
    tried = [one for variant in variants for one in _started(variant, _first(evidence), common)]
    near = [one for one in tried if one[0] < floor.ROUNDING and _times(one[1], evidence, one[2]) < floor.ROUNDING]
    far = sorted((one for one in tried if one[2] and one[0] < limit), key=lambda one: one[0])[:refined]
    found = [fit(variant, evidence, numbers) for _, variant, numbers in near or far]
    return [one for one in found if one is not None]


def _started(
    variant: Variant, first: Evidence, common: Mapping[str, Sequence[float]]
) -> list[tuple[float, Variant, dict[str, float]]]:
    """How near the variant comes to the first example with the best of usual numbers, and these; if it comes near at all."""
    choices = [dict.fromkeys((usual, *common.get(name, ()))) for name, usual in variant.numbers.items()]
    starts = [dict(zip(variant.numbers, values, strict=True)) for values in product(*choices)]
    tried = [(_times(variant, first, numbers), numbers) for numbers in starts]
    times, best = min(tried, key=lambda one: one[0])
    return [(times, variant, best)] if times < (float("inf") if best else floor.ROUNDING) else []


def _times(variant: Variant, evidence: Evidence, numbers: Mapping[str, float]) -> float:
    with (
        np.errstate(all="ignore"),
        suppress(ValueError, IndexError, KeyError),
    ):  # of inputs that such a layer cannot take
        return evidence.times(variant.compute(evidence.given, {**variant.choices, **numbers}))
    return float("inf")


# --- families ---


def _activation(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """A function of one number, or one along an axis."""
    first = evidence.given[0]
    if first.x.shape != first.y.shape:
        return []
    points = _at_points(evidence)
    found = search(activations.pointwise(*_line(points)), points, refined=8, limit=1e9) if _is_function(points) else []
    found = [one for one in found if fits_as_well(one, evidence)]
    return found or search(activations.along_axes(first.x.ndim - 1), evidence, limit=1e9)


def _normalization(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    first = evidence.given[0]
    if first.x.shape != first.y.shape:
        return []
    for layer in (*names, ""):
        found = search(normalizations.variants(first, [layer], training), evidence)
        if found:
            return found
    return []


def _linear(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """A dense layer or a convolution, alone or with an activation behind it."""
    for layer in names:
        variants = list(linear.variants(evidence.given[0], [layer]))
        found = search(variants, evidence)
        if found:
            return [_with_activation(one) for one in found]
        for variant in variants:
            found = _activated(variant, evidence)
            if found:
                return found
    return []


def _activated(before: Variant, evidence: Evidence) -> list[Fit]:
    """Activations of what a layer makes that reproduce what was seen."""
    made = before.compute(_first(evidence).given, before.choices)
    if made.shape != _first(evidence).seen.shape or not _is_function(_at_points(_behind(before, _first(evidence)))):
        return []
    found = _activation(_behind(before, evidence), False, [])
    return [replace(one, variant=_composed(before, one.variant)) for one in found]


def _behind(before: Variant, evidence: Evidence) -> Evidence:
    """The evidence with what a layer makes of the input in the place of that."""
    made = before.compute(evidence.given, before.choices)
    shaped = [Example(z.reshape(one.y.shape), one.y, one.layers) for z, one in zip(made, evidence.given, strict=True)]
    return replace(evidence, given=tuple(shaped))


def _first(evidence: Evidence) -> Evidence:
    """The first example alone."""
    return Evidence(evidence.given[:1], evidence.seen[:1], [sibling[:1] for sibling in evidence.siblings])


def _with_activation(found: Fit) -> Fit:
    """The same layer, with an activation that does nothing."""
    return replace(found, variant=found.variant.with_choices(activation="none"))


def _composed(before: Variant, after: Variant) -> Variant:
    def compute(examples: Sequence[Example], settings: Mapping[str, Any]) -> Array:
        made = before.compute(examples, settings)
        shaped = [Example(z.reshape(one.y.shape), one.y, {}) for z, one in zip(made, examples, strict=True)]
        return after.compute(shaped, settings)

    own = {f"{name} of the activation" if name in before.choices else name: v for name, v in after.choices.items()}
    if own.keys() != after.choices.keys():  # an axis of both
        return replace(before, name=f"{before.name} and {after.choices['activation']}", compute=_joined(before, after))
    return replace(before, choices={**before.choices, **own}, numbers=after.numbers, compute=compute)


def _joined(before: Variant, after: Variant) -> Callable[[Any, Mapping[str, Any]], Array]:
    """Both computed one behind the other, each with its own choices."""

    def compute(examples: Sequence[Example], settings: Mapping[str, Any]) -> Array:
        made = before.compute(examples, before.choices)
        shaped = [Example(z.reshape(one.y.shape), one.y, {}) for z, one in zip(made, examples, strict=True)]
        return after.compute(shaped, {**settings, **after.choices})

    return compute


def _dropout(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """In training mode, zeros where the input has none."""
    first = evidence.given[0]
    if not training or first.x.shape != first.y.shape:
        return []
    share = np.mean((first.y == 0)[first.x != 0]) if np.any(first.x) else 0.0
    return search(dropping.variants(first), evidence) if share > 0 else []


def _recurrent(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """A recurrent layer, its gates in another order only if no usual one fits."""
    variants = list(recurrent.variants(evidence.given[0], names))
    found = search(variants, evidence) or search(recurrent.stacks(evidence.given[0], names), evidence)
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False}
    gated = [one for one in variants if usual.items() <= one.choices.items()]
    return found or search([other for one in gated for other in recurrent.other_orders(one)], evidence)


def _rest(evidence: Evidence, training: bool, names: Names) -> list[Fit]:
    """Layers that are known by their shapes."""
    first = evidence.given[0]
    families = (
        pooling.poolings(first),
        pooling.reductions(first),
        attention.variants(first, names),
        rearranging.rearrangements(first),
        rearranging.paddings(first),
        rearranging.resizings(first),
    )
    scaled = search(rearranging.embeddings(first, names), evidence, limit=1e9)
    found = scaled or next((found for family in families if (found := search(family, evidence))), [])
    return found or identify_joint(evidence, names)


def _few_rows(evidence: Evidence) -> Evidence:
    """The same of some of the rows, for layers that treat each by itself."""
    shape = (len(evidence.given), *evidence.given[0].y.shape)

    def few(array: Array) -> Array:
        return array.reshape(shape)[:, :ROWS].reshape(len(array), -1)

    given = tuple(
        Example(one.x[:ROWS], one.y[:ROWS], one.layers, [other[:ROWS] for other in one.others])
        for one in evidence.given
    )
    return Evidence(given, few(evidence.seen), [few(sibling) for sibling in evidence.siblings])


def _at_points(evidence: Evidence) -> Evidence:
    """The same at some of the elements, input and output laid flat."""
    size = evidence.seen.shape[1]
    at = np.arange(size) if size <= POINTS else np.sort(np.random.default_rng(0).choice(size, POINTS, replace=False))
    given = tuple(Example(one.x.ravel()[at], one.y.ravel()[at], {}) for one in evidence.given)
    return Evidence(given, evidence.seen[:, at], [sibling[:, at] for sibling in evidence.siblings])


def _line(points: Evidence) -> tuple[float, float]:
    """Slope and offset of the straight line through the points that is nearest."""
    x, y = (np.concatenate([getattr(one, name) for one in points.given]) for name in ("x", "y"))
    slope = float(np.sum((x - x.mean()) * (y - y.mean())) / (np.sum((x - x.mean()) ** 2) or 1.0))
    return slope, float(y.mean() - slope * x.mean())


def _is_function(points: Evidence) -> bool:
    """Whether near inputs have near outputs."""
    x = np.concatenate([one.x for one in points.given])
    order = np.argsort(x)
    steps, rises = np.diff(x[order]), np.diff(np.concatenate([one.y for one in points.given])[order])
    apart = steps > np.finfo(np.float32).eps * np.abs(x[order][1:])
    return bool(not apart.any() or np.median(np.abs(rises[apart]) / steps[apart]) < STEEP)


Family = Callable[[Evidence, bool, Names], list[Fit]]
FAMILIES: Sequence[Family] = (_activation, _dropout, _normalization, _recurrent, _linear, _rest)
"""Kinds of layers in the order in which they are tried."""
