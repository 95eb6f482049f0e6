"""Why the same outputs and targets make different losses: both losses are identified from many outputs and targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.case import Case, Explanation
from samestep.explain.fitting import Evidence, Fit, Variant, differences, fit, nearest
from samestep.explain.fixes.losses import link_cause, loss_cause
from samestep.explain.fixes.regularizers import penalty_causes
from samestep.explain.references import losses, penalties
from samestep.explain.references.losses import Losses
from samestep.explain.references.penalties import Penalty
from samestep.matching import floor
from samestep.matching.judging import Comparison
from samestep.matching.sides import State
from samestep.results import Cause
from samestep.worker.parent import Worker

Array = NDArray[Any]

SCALES = (1.0, 1.5, 0.5, 2.0, 0.7, 3.0)
"""How much larger than at first the parameters are made: small outputs and large ones."""
SHIFT = 0.05
"""How far the parameters are moved besides, since zeros stay zeros."""
BATCHES = 4
"""Batches at each state: rows of the first batch, and of half of it, with other rows' targets."""
SIBLINGS = 2
"""Siblings of each loss."""
LARGEST = 20.0
"""Outputs beyond this, as logits, leave probabilities that float32 does not hold."""
EDGE = 0.02
"""Outputs between 0 and 1 are kept this far from them where all can be, so that no rounding or clipping hides in them."""


@dataclass(frozen=True)
class Seen:
    """What a side showed on one batch at one state."""

    state: int
    outputs: list[Array]
    targets: list[Array]
    loss: float
    siblings: list[float]
    names: list[str]


def explain_loss(case: Case, worst: Comparison) -> Explanation:
    """The settings in which the losses differ."""
    workers = (case.sides.left, case.sides.right)
    probes = [Probe(worker, case.starts[i], case.batches[i], case.rng) for i, worker in enumerate(workers)]
    found, evidence, shares = [], [], []
    for probe in probes:
        seen = probe.look()
        if not 1 <= len(seen[0].outputs) == len(seen[0].targets) <= 2:
            return Explanation(
                ruled_out="losses of more than two outputs, or of other targets than outputs, are not looked into"
            )
        shares.append(all(_are_shares(outputs) for one in seen for outputs in one.outputs))
        evidence.append(_evidence(seen))
        found.append(_identified(evidence[-1], seen[0].names))
    pair = nearest(found[0], found[1], (evidence[0], evidence[1]))
    if pair is None:
        which = " nor ".join(name for name, fitting in zip(("left", "right"), found, strict=True) if not fitting)
        return Explanation(ruled_out=f"no known loss reproduces what the {which} one says")
    causes = _causes(case, pair, shares)
    penalties = [_penalty(probe, fit) for probe, fit in zip(probes, pair, strict=True)]
    if penalties[0] is None or penalties[1] is None:
        noted = "what a loss adds for the parameters is neither an L1 nor an L2 penalty"
        return Explanation(tuple(causes), ruled_out=noted)
    right_names = {right: left for left, right in case.sides.parameters.right_names.items()}
    causes += penalty_causes(case, penalties[0], penalties[1].renamed(right_names))
    return Explanation(tuple(causes), "" if causes else "the same settings of a known loss reproduce both")


def _causes(case: Case, pair: tuple[Fit, Fit], shares: Sequence[bool]) -> list[Cause]:
    """The differences of two fits; that one takes logits and the other probabilities is none if they are given such.

    shares: whether each side's outputs are probabilities.
    """
    told = differences(*pair)
    left, right = shares
    logits = [found.settings.get("from_logits") for found in pair]
    if any(not isinstance(one, bool) for one in logits):
        left = right
    if left != right:
        told = [difference for difference in told if difference[0] not in ("from_logits", "probabilities")]
    linked = [link_cause(case, pair, (left, right))] if left != right and logits[0] == logits[1] else []
    return [*linked, *(loss_cause(case, difference, pair) for difference in told)]


def _are_shares(outputs: Array) -> bool:
    """Whether these can be probabilities; logits can be so by chance, in one state, not in all that are looked at."""
    return bool(outputs.size > 0 and outputs.min() >= 0 and outputs.max() <= 1)


class Probe:
    """One side's loss at states around the one that training starts in."""

    def __init__(self, worker: Worker, start: State, batch: dict[str, Any], rng: np.random.Generator) -> None:
        self.worker, self.start, self.batch, self.rng = worker, start, batch, rng

    def look(self, scales: Sequence[float] = SCALES) -> list[Seen]:
        """Losses of several batches at each of the states."""
        try:
            return [seen for number, scale in enumerate(scales) for seen in self._at(number, scale)]
        finally:
            self.worker.ask("state", values=self.start)

    def look_for_penalty(self, count: int) -> list[tuple[Seen, State]]:
        """Losses of one batch at many states, in each of which every tensor has a size of its own."""
        try:
            states = [self._moderate(1.0, spread=0.5) for _ in range(count)]
            return [(self._on(i, state, self.batch["x"], self.batch["y"]), state) for i, state in enumerate(states)]
        finally:
            self.worker.ask("state", values=self.start)

    def _at(self, number: int, scale: float) -> list[Seen]:
        state = self._moderate(scale)
        rows = len(_first(self.batch["x"]))
        picks = (np.arange(rows), np.arange(max(1, rows // 2)) if rows > 1 else np.zeros(2, int))
        seen = []
        for turn in range(BATCHES):
            x = _each(self.batch["x"], lambda array, turn=turn: array[picks[turn % 2]])
            y = _each(self.batch["y"], lambda array, turn=turn: self._targets(array, len(picks[turn % 2]), turn))
            seen.append(self._on(number, state, x, y))
        return seen

    def _on(self, number: int, state: State, x: Any, y: Any) -> Seen:
        self.worker.ask("state", values=state)
        outputs = self.worker.ask("forward", x=x, training=True, activations=False)["outputs"]
        loss = self._loss(x, y)
        siblings = []
        for _ in range(SIBLINGS):
            self.worker.ask("state", values=floor.moved_tree(state, self.rng))
            siblings.append(self._loss(_each(x, lambda array: floor.moved(array, self.rng)), y))
        targets = y if isinstance(y, dict) else dict.fromkeys(list(outputs)[:1], y)
        ordered = [targets[name] for name in outputs] if outputs.keys() == targets.keys() else list(targets.values())
        names = list(outputs if outputs.keys() == targets.keys() else targets)
        return Seen(number, list(outputs.values()), ordered, loss, siblings, names)

    def _loss(self, x: Any, y: Any) -> float:
        return float(np.asarray(self.worker.ask("gradients", x=x, y=y)["loss"], np.float64))

    def _moderate(self, scale: float, spread: float = 0.0) -> State:
        """A state with parameters of this scale, or of the next smaller one with outputs that hide nothing.

        spread: decimal exponents by which tensors are made larger or smaller besides.
        """
        sizes = {name: 10 ** self.rng.uniform(-spread, spread) for name in self.start["parameters"]}
        directions = {n: self.rng.normal(0, SHIFT, a.shape) for n, a in self.start["parameters"].items()}
        for shrink in 0.6 ** np.arange(8):
            moved = {
                name: ((array + directions[name]) * scale * shrink * sizes[name]).astype(array.dtype)
                if array.dtype.kind == "f"
                else array
                for name, array in self.start["parameters"].items()
            }
            state = {**self.start, "parameters": moved}
            self.worker.ask("state", values=state)
            passed = self.worker.ask("forward", x=self.batch["x"], training=True, activations=False)["outputs"]
            if all(_is_moderate(outputs) for outputs in passed.values()):
                return state
        return state

    def _targets(self, targets: Array, rows: int, turn: int) -> Array:
        """Targets of rows at random; numbers that are no classes or shares are of all sizes."""
        picked = targets[self.rng.integers(0, len(targets), rows)]
        free = (
            targets.dtype.kind == "f"
            and np.any(targets != np.floor(targets))
            and (targets.min() < 0 or targets.max() > 1)
        )
        sizes = 10 ** self.rng.uniform(-1, 1, picked.shape) if free and turn else np.ones(1)
        return np.asarray(picked * sizes).astype(targets.dtype)


def _is_moderate(outputs: Array) -> bool:
    if not np.isfinite(outputs).all():
        return False
    if outputs.ndim < 2 or outputs.min() < 0 or outputs.max() > 1:
        return bool(np.abs(outputs).max() < LARGEST)
    competing = outputs.shape[-1] > 1 and np.allclose(outputs.sum(axis=-1), 1, atol=1e-4)
    return bool(outputs.min() > (1e-5 if competing else EDGE) and (competing or outputs.max() < 1 - EDGE))


def _evidence(seen: Sequence[Seen]) -> Evidence:
    """What was seen, with the outputs and targets of one output, or of each of several."""
    given = [_losses(seen, number) for number in range(len(seen[0].outputs))]
    siblings = list(np.transpose([one.siblings for one in seen]))
    return Evidence(given[0] if len(given) == 1 else given, given[0].seen, siblings)


def _losses(seen: Sequence[Seen], number: int) -> Losses:
    outputs = [one.outputs[number] for one in seen]
    sizes = [len(one) for one in outputs]
    return Losses(
        np.concatenate(outputs).astype(np.float64),
        np.concatenate([one.targets[number] for one in seen]),
        np.cumsum(sizes) - sizes,
        np.array([one.loss for one in seen]),
        np.array([one.state for one in seen]),
    )


def _identified(evidence: Evidence, names: Sequence[str]) -> list[Fit]:
    """What fits as it is, else with a number to be found, else with weights of classes; each alone, then beside a regulariser."""
    if not isinstance(evidence.given, Losses):
        return _plain(losses.combined(names, evidence.given, False), evidence) or _plain(
            losses.combined(names, evidence.given, True), evidence
        )
    plain = losses.variants(evidence.given)
    for search in (_plain, _numbered, _weighted):
        for offset in (False, True):
            found = search([variant.with_choices(offset=offset) for variant in plain], evidence)
            if found:
                return found
    return []


def _plain(variants: Iterable[Variant], evidence: Evidence) -> list[Fit]:
    """Those that fit, of those that come near: to look closer takes longer."""
    given = evidence.given if isinstance(evidence.given, Losses) else evidence.given[0]
    with np.errstate(all="ignore"):
        close = [
            v for v in variants if v.numbers or losses.near(given, given.seen - v.compute(evidence.given, v.choices))
        ]
    return [found for variant in close if (found := fit(variant, evidence, {})) is not None]


def _numbered(variants: Sequence[Variant], evidence: Evidence) -> list[Fit]:
    """Numbers in which a loss is a straight line are read off it; the others are searched for."""
    read = [with_number for variant in variants for with_number in losses.straight(variant, evidence.given)]
    return _plain(read, evidence) or _plain(
        [begun for v in variants for begun in losses.curved(v, evidence.given)], evidence
    )


def _weighted(variants: Sequence[Variant], evidence: Evidence) -> list[Fit]:
    found = []
    for variant in variants:
        candidates = losses.weighted(variant, evidence.given)
        found += [f for f in [next(filter(None, (fit(v, evidence, {}) for v in candidates)), None)] if f is not None]
    return [replace(one, variant=_ignoring(one.variant)) for one in found]


def _ignoring(variant: Variant) -> Variant:
    """Weights of which one is zero and all others are equal, as what they are meant for."""
    weights = variant.choices["class_weight"]
    zeros = [number for number, weight in weights.items() if weight == 0]
    if len(zeros) == 1 and len(set(weights.values())) == 2:
        return variant.with_choices(ignore_index=zeros[0])
    return variant


def _penalty(probe: Probe, found: Fit) -> Penalty | None:
    """What the loss adds for the parameters, by non-negative least squares; None if that is no known penalty."""
    if not found.variant.choices["offset"]:
        return Penalty({}, {})
    groups = penalties.groups(probe.start["parameters"])
    looked = probe.look_for_penalty(2 * len(groups) + 6)
    evidence = _evidence([seen for seen, _ in looked])
    data = found.variant.compute(evidence.given, {**found.variant.choices, **found.numbers, "offset": False})
    sums = np.array([penalties.sums(state["parameters"], groups) for _, state in looked])
    return penalties.fitted(sums, groups, evidence, data)


def _first(rows: Any) -> Array:
    found: Array = next(iter(rows.values())) if isinstance(rows, dict) else rows
    return found


def _each(rows: Any, function: Any) -> Any:
    return {name: function(array) for name, array in rows.items()} if isinstance(rows, dict) else function(rows)
