"""The stages of a match, in causal order, each judged from the same state and the same batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.forward import compare_forward
from samestep.matching.free_run import paired_metrics
from samestep.matching.judging import Comparison, Judged, judge, not_compared, nothing_to_compare, worst_element
from samestep.matching.reaction import (
    Reaction,
    borrow_moves,
    distance,
    watch_evaluation,
    watch_passes,
    watch_step,
    watch_update,
)
from samestep.matching.sides import Sides, State, ask_both

Array = NDArray[Any]
Both = tuple[Reaction, Reaction]

PROBES = (0, 1, 10, 100, 1000, 10000)
"""Steps of the left side's own training whose states are compared, as far as the run goes."""


@dataclass(frozen=True)
class Moment:
    """One state and batch, and what both programs show there; updates: None where one cannot be seen by itself."""

    step: int
    passes: Both
    updates: Both | None
    steps: Both
    evaluations: Both


def observe(
    sides: Sides,
    state: State,
    batches: Sequence[dict[str, Array]],
    step: int,
    rows: int,
    batch_size: int,
    rng: np.random.Generator,
) -> Moment:
    """Put both programs into the left side's state and watch them pass, update, step and evaluate.

    batches: {"x", "y"} for either side; rows: how many to evaluate on, in batches of batch_size.
    """
    sides.right.ask("state", values=sides.to_right(state))
    workers = (sides.left, sides.right)
    states = (state, sides.right.ask("state"))

    def both(watch: Callable[..., Any], *arguments: Any) -> Both:
        looks = [
            watch(worker, here, *(argument[i] for argument in arguments))
            for i, (worker, here) in enumerate(zip(workers, states, strict=True))
        ]
        return Reaction(looks[0], rng), Reaction(looks[1], rng)

    whole = bool(sides.lacking("update"))
    passes = both(watch_passes, batches)
    steps = both(watch_step, batches, (whole, whole))
    updates = None
    if not whole:
        given = {key.split("|", 1)[1]: value for key, value in passes[0].seen.items() if key.startswith("gradients|")}
        updates = both(watch_update, (given, sides.gradients_to_right(given)), batches)
        updates[0].grow(floor.DRAWS)
        borrow_moves(steps[0], updates[0])
    return Moment(step, passes, updates, steps, both(watch_evaluation, (rows, rows), (batch_size, batch_size)))


def judge_alignment(sides: Sides) -> Judged:
    """Whether every parameter and buffer has a twin of the same precision."""
    for kind, alignment in (("parameter", sides.parameters), ("buffer", sides.buffers)):
        if not alignment.complete:
            over = [", ".join(side) or "none" for side in (alignment.left_over, alignment.right_over)]
            name = (alignment.left_over + alignment.right_over)[0]
            return judge("alignment", [Comparison(f"{kind} {name} has no twin", 0, float("inf"), *over)])
        for pair in alignment.pairs:
            if pair.left_dtype != pair.right_dtype:
                name = f"dtype of {pair.left}"
                return judge("alignment", [Comparison(name, 0, float("inf"), pair.left_dtype, pair.right_dtype)])
    count = f"{len(sides.parameters.pairs)} parameters, {len(sides.buffers.pairs)} buffers"
    return judge("alignment", [Comparison(count, None, 0.0)])


def judge_forward(moments: Sequence[Moment]) -> Judged:
    """Outputs in training and in inference mode, and the first layer that differs."""
    return judge(
        "forward",
        (c for m in moments for mode in ("training", "inference") for c in compare_forward(*m.passes, mode, m.step)),
    )


def judge_loss(moments: Sequence[Moment]) -> Judged:
    """The loss of one batch."""
    return judge("loss", (_compare(m.passes, "loss|loss", "loss|loss", m.step) for m in moments))


def judge_gradients(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """The gradient of each parameter, from the output back to the input."""
    pairs = [(p.left, p.right, p.to_left) for p in reversed(sides.parameters.pairs)]
    return judge("gradients", (c for m in moments for c in _compare_all("gradients", pairs, m.passes, m.step)))


def judge_update(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """What the optimizer makes of the same gradients."""
    pairs = [(p.left, p.right, p.to_left) for p in sides.parameters.pairs]
    lacking = sides.lacking("update")
    if lacking:
        compared = [c for m in moments for c in _compare_all("update", pairs, m.steps, m.step)]
        return judge("update", compared, f"judged within the whole step: {lacking}")
    usable = [m for m in moments if m.updates is not None and (m.step == 0 or sides.slots_pair())]
    note = "" if sides.slots_pair() else "at the initial state only: the slots have no twins"
    return judge(
        "update", (c for m in usable if m.updates for c in _compare_all("update", pairs, m.updates, m.step)), note
    )


def judge_slots(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """The optimizer's slots and its count of updates, after an update from the same gradients."""
    over = sides.unpaired_slots()
    if any(over):
        names = [", ".join(side) or "none" for side in over]
        return not_compared("slots", f"slots of one side only: {names[0]} | {names[1]}")
    pairs = [(s.left, s.right, s.to_left) for s in sides.slot_pairs()]
    watched = [(m, m.steps if m.updates is None else m.updates) for m in moments]
    compared = [c for m, both in watched for c in _compare_all("slots", pairs, both, m.step)]
    compared += [_compare(both, "counters|step", "counters|step", m.step) for m, both in watched if _both_count(both)]
    return judge("slots", compared) if compared else nothing_to_compare("slots", "neither optimizer has slots")


def judge_buffers(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """Buffers, such as moving averages, after one training step."""
    pairs = [(p.left, p.right, p.to_left) for p in sides.buffers.pairs]
    if not pairs:
        return nothing_to_compare("buffers", "neither side has buffers")
    return judge("buffers", (c for m in moments for c in _compare_all("buffers", pairs, m.steps, m.step)))


def judge_step(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """One whole training step by each program's own loop, from the same state."""
    pairs = [(p.left, p.right, p.to_left) for p in sides.parameters.pairs]
    usable = [m for m in moments if m.step == 0 or sides.slots_pair()]
    return judge("step", (c for m in usable for c in _compare_all("update", pairs, m.steps, m.step)))


def judge_schedule(sides: Sides, starts: tuple[State, State], total: int, steps_per_epoch: int) -> Judged:
    """The learning rate at steps spread over the run, epoch boundaries among them."""
    if sides.lacking("update"):
        return nothing_to_compare("schedule", f"within the whole step: {sides.lacking('update')}")
    ask_both(sides.left, sides.right, "state", {"values": starts[0]}, {"values": starts[1]})
    edges = [epoch * steps_per_epoch + shift for epoch in range(1, 4) for shift in (-1, 0, 1)]
    steps = sorted({s for s in [0, 1, 2, 5, 10, 20, 50, 100, total // 2, total - 1, *edges] if 0 <= s < total})
    left, right = (np.array(rates, np.float32) for rates in sides.ask("rates", steps=steps))
    if np.isnan(left).all() and np.isnan(right).all():
        return nothing_to_compare("schedule", "neither optimizer has a learning rate")
    if np.isnan(left).any() or np.isnan(right).any():
        return not_compared("schedule", "one side's learning rate cannot be read")
    apart = [
        Comparison("learning rate", step, floor.times_floor(one, [], other), float(one), float(other))
        for step, one, other in zip(steps, left, right, strict=True)
    ]
    return judge("schedule", apart)


def judge_metrics(moments: Sequence[Moment]) -> Judged:
    """Metrics of one step, and loss and metrics of an evaluation that ends in a partial batch."""
    compared = []
    for m in moments:
        for one, other in paired_metrics(*_names(m.passes, "metrics|")).items():
            compared.append(_compare(m.passes, f"metrics|{one}", f"metrics|{other}", m.step))
        for one, other in paired_metrics(*_names(m.evaluations, "evaluation|")).items():
            found = _compare(m.evaluations, f"evaluation|{one}", f"evaluation|{other}", m.step)
            compared.append(Comparison(f"{one} of an evaluation", m.step, found.times_floor, found.left, found.right))
    left, right = _names(moments[0].passes, "metrics|")
    paired = paired_metrics(left, right)
    missing = sorted({*left, *right} - {*paired, *paired.values()})
    note = f"not compared, on one side only: {', '.join(missing)}" if missing else ""
    return judge("metrics", compared, note)


def _compare(both: Both, one: str, other: str, step: int, to_left: Callable[[Array], Array] = np.asarray) -> Comparison:
    left, right = both
    name, twin = one.split("|", 1)[1], other.split("|", 1)[1]
    worst = worst_element(name, left.seen[one], twin, to_left(right.seen[other]))
    return Comparison(name.replace("|", " of "), step, distance(left, one, right, other, to_left), *worst)


def _compare_all(
    kind: str, pairs: Sequence[tuple[str, str, Callable[[Array], Array]]], both: Both, step: int
) -> list[Comparison]:
    return [_compare(both, f"{kind}|{one}", f"{kind}|{other}", step, to_left) for one, other, to_left in pairs]


def _names(both: Both, kind: str) -> tuple[list[str], list[str]]:
    left, right = ([key.split("|", 1)[1] for key in side.seen if key.startswith(kind)] for side in both)
    return left, right


def _both_count(both: Both) -> bool:
    return all(int(side.seen.get("counters|step", -1)) >= 0 for side in both)
