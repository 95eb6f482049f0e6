"""The stages of a match, in causal order, each judged from the same state and the same batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching import floor
from samestep.matching.aligning import suggestions
from samestep.matching.double import Doubles, state_in_double, widened
from samestep.matching.forward import compare_forward
from samestep.matching.free_run import paired_metrics
from samestep.matching.judging import Comparison, Judged, judge, not_compared, nothing_to_compare, worst_element
from samestep.matching.reaction import (
    Reaction,
    borrow_moves,
    distance,
    watch_evaluation,
    watch_layers,
    watch_passes,
    watch_step,
    watch_update,
    watch_updates,
)
from samestep.matching.sides import Sides, State, ask_both

Array = NDArray[Any]
Both = tuple[Reaction, Reaction]
Twin = tuple[str, str]
"""A tensor's name on the left, and on the right."""

DECADES = 9
"""How many powers of ten probing gradients span: Adam's usual epsilons are of 1e-8 and 1e-7."""
UPDATES = 4
"""Probing updates in a row where slots have no twins, so that what one side keeps from step to step shows."""
PROBES = (0, 1, 10, 100, 1000, 10000)
"""Steps of the left side's own training whose states are compared, as far as the run goes."""


@dataclass(frozen=True)
class Moment:
    """One state and batch, and what both programs show there.

    layers: gives what every layer shows in one mode, at its own cost. updates: from the left side's gradients; probes: from
    gradients of all sizes, since what an epsilon does shows in small ones; None where an update cannot be seen by itself,
    probes also where the right optimizer cannot be put into the state.
    same_rate: whether both would update with the same learning rate.
    """

    step: int
    passes: Both
    layers: Callable[[str], Both]
    updates: Both | None
    probes: Both | None
    steps: Both
    evaluations: Both
    same_rate: bool = True

    def allow(self, draws: int) -> None:
        """Let no more than so many siblings be measured from now on."""
        for both in (self.passes, self.updates, self.probes, self.steps, self.evaluations):
            for reaction in both or ():
                reaction.most = draws


def observe(
    sides: Sides,
    state: State,
    batches: Sequence[dict[str, Array]],
    step: int,
    rows: int,
    batch_size: int,
    rng: np.random.Generator,
    doubles: Doubles,
) -> Moment:
    """Put both programs into the left side's state and watch them pass, update, step and evaluate.

    batches: {"x", "y"} for either side; rows: how many to evaluate on, in batches of batch_size; doubles: the programs in
    float64.
    """
    sides.right.ask("state", values=sides.to_right(state))
    workers = (sides.left, sides.right)
    states = (state, sides.right.ask("state"))
    sides.left.ask("state", values=state)

    def both(watch: Callable[..., Any], *arguments: Any) -> Both:
        looks = [
            watch(worker, here, *(argument[i] for argument in arguments))
            for i, (worker, here) in enumerate(zip(workers, states, strict=True))
        ]

        def in_double(side: int) -> Any:
            given = [widened(argument[side]) for argument in arguments]
            return doubles.look(side, lambda worker: watch(worker, state_in_double(states[side]), *given)(None))

        def right_in_double() -> Any:
            seen = in_double(1)
            return None if seen is None else sides.seen_as_left(seen)

        return (
            Reaction(looks[0], rng, partial(in_double, 0)),
            Reaction(lambda rng: sides.seen_as_left(looks[1](rng)), rng, right_in_double),
        )

    def layers(mode: str) -> Both:
        found = both(watch_layers, batches, (mode, mode))
        for reaction in found:
            reaction.most = floor.DRAWS  # activations are many, and what they name is known to differ already
        return found

    whole = bool(sides.lacking("update"))
    passes = both(watch_passes, batches)
    same_rate = whole or _same_rate(sides.ask("rates", steps=[step]))
    steps = both(watch_step, batches, (whole, whole))
    updates = probes = None
    if not whole:
        given = {key.split("|", 1)[1]: value for key, value in passes[0].seen.items() if key.startswith("gradients|")}
        updates = both(watch_update, (given, sides.parameters.to_right(given)), batches)
    if not whole and _can_reach(sides, step):
        spread = [spread_out(given, rng) for _ in range(1 if sides.slots_pair() else UPDATES)]
        probes = both(watch_updates, (spread, [sides.parameters.to_right(one) for one in spread]), batches)
    if updates is not None:
        for step_of_side, update_of_side in zip(steps, updates, strict=True):
            update_of_side.grow(floor.DRAWS)
            borrow_moves(step_of_side, update_of_side)
    evaluations = both(watch_evaluation, (rows, rows), (batch_size, batch_size))
    return Moment(step, passes, layers, updates, probes, steps, evaluations, same_rate)


def _same_rate(rates: tuple[list[float], list[float]]) -> bool:
    """Whether the learning rates of a step are equal up to rounding, as far as they are known."""
    left, right = (np.array(side, np.float32) for side in rates)
    return not np.isfinite([left, right]).all() or floor.times_floor(left, [], right) < floor.ROUNDING


def spread_out(gradients: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Gradients of the same places, of either sign and of all sizes up to the largest one; zeros stay, as of rows not used."""
    largest = max((float(np.max(np.abs(g), initial=0.0)) for g in gradients.values()), default=0.0)
    return {
        name: (np.sign(g) * 10 ** rng.uniform(-DECADES, 0, g.shape) * (largest or 1.0)).astype(g.dtype)
        for name, g in gradients.items()
    }


def judge_alignment(sides: Sides) -> Judged:
    """Whether every parameter and buffer has a twin of the same precision."""
    for kind, alignment in (("parameter", sides.parameters), ("buffer", sides.buffers)):
        if not alignment.complete:
            lefts, rights = alignment.left_over, alignment.right_over
            over = [", ".join(map(str, side)) or "none" for side in (lefts, rights)]
            likely = suggestions(alignment)
            note = f"likely pairs, for a --map file: {'; '.join(likely)}" if likely else ""
            return judge(
                "alignment", [Comparison(f"{kind} {(lefts + rights)[0]} has no twin", 0, float("inf"), *over)], note
            )
        for group in alignment.groups:
            types = [sorted({tensor.dtype for tensor in tensors}) for tensors in (group.left, group.right)]
            if types[0] != types[1]:
                name, shown = f"dtype of {group.left[0].name}", [", ".join(side) for side in types]
                return judge("alignment", [Comparison(name, 0, float("inf"), *shown)])
    counts = [len(alignment.right_names) for alignment in (sides.parameters, sides.buffers)]
    still = sorted(sides.parameters.still | sides.buffers.still)
    note = f"without a twin, and not changed by training: {', '.join(still)}" if still else ""
    return judge("alignment", [Comparison(f"{counts[0]} parameters, {counts[1]} buffers", None, 0.0)], note)


def judge_forward(moments: Sequence[Moment]) -> Judged:
    """Outputs in training and in inference mode, and the first layer that differs."""
    return judge(
        "forward",
        (
            comparison
            for m in moments
            for mode in ("training", "inference")
            for comparison in compare_forward(*m.passes, partial(m.layers, mode), mode, m.step)
        ),
    )


def judge_loss(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """The loss of one batch."""
    compared = _compare_all("loss", [("loss", "loss")], [(m.step, m.passes) for m in moments])
    whole = "as the whole step returns it, which may have updated some parameters by then"
    return judge("loss", compared, whole if sides.lacking("update") else "")


def judge_gradients(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """The gradient of each parameter, from the output back to the input."""
    lacking = sides.lacking("gradients")
    if lacking:
        return nothing_to_compare("gradients", f"within the whole step: {lacking}")
    twins = list(reversed(_parameters(sides)))
    return judge("gradients", _compare_all("gradients", twins, [(m.step, m.passes) for m in moments]))


def judge_update(sides: Sides, moments: Sequence[Moment], rates: Rates | None) -> Judged:
    """What the optimizer makes of the same gradients, at the same learning rate if that is a schedule's."""
    twins = _parameters(sides)
    lacking = sides.lacking("update")
    if lacking:
        compared = _compare_all("update", twins, [(m.step, m.steps) for m in moments])
        return judge("update", compared, f"judged within the whole step: {lacking}")
    reachable = _with_the_same_rate(_reachable(sides, moments), rates)
    if not reachable:
        return not_compared("update", "follows from schedule")
    watched = [(m.step, both) for m in reachable for both in (m.updates, m.probes) if both is not None]
    note = "" if sides.slots_pair() else "at the initial state only: the slots have no twins"
    return judge("update", _compare_all("update", twins, watched), note)


def judge_slots(sides: Sides, moments: Sequence[Moment], rates: Rates | None) -> Judged:
    """The optimizer's slots and its count of updates, after an update from the same gradients."""
    over = sides.unpaired_slots()
    if any(over):
        names = [", ".join(side) or "none" for side in over]
        return not_compared("slots", f"slots of one side only: {names[0]} | {names[1]}")
    watched = [(m.step, m.steps if m.updates is None else m.updates) for m in _with_the_same_rate(moments, rates)]
    counted = [(step, both) for step, both in watched if _both_count(both)]
    names = [name for group in sides.slot_groups for name in group.left]
    if not watched:
        return not_compared("slots", "follows from schedule")
    if not names and not counted:
        return nothing_to_compare("slots", "neither optimizer has slots")
    slots = _compare_all("slots", _named(sides, names), watched)
    return judge("slots", chain(slots, _compare_all("counters", [("step", "step")], counted)))


def judge_buffers(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """Buffers, such as moving averages, after one training step."""
    if not sides.buffers.groups:
        return nothing_to_compare("buffers", "neither side has buffers that change")
    twins = list(sides.buffers.right_names.items())
    return judge("buffers", _compare_all("buffers", twins, [(m.step, m.steps) for m in moments]))


def judge_step(sides: Sides, moments: Sequence[Moment]) -> Judged:
    """One whole training step by each program's own loop, from the same state."""
    watched = [(m.step, m.steps) for m in _reachable(sides, moments)]
    return judge("step", _compare_all("update", _parameters(sides), watched))


@dataclass(frozen=True)
class Rates:
    """The learning rates of both sides, float32 (steps,), at these steps; NaN where one is not known."""

    steps: Sequence[int]
    left: Array
    right: Array

    @property
    def scheduled(self) -> bool:
        """Whether one of them changes on the way."""
        return any(bool(np.any(rates != rates[0])) for rates in (self.left, self.right))


def read_rates(sides: Sides, starts: tuple[State, State], total: int, steps_per_epoch: int) -> Rates | None:
    """The learning rates at steps spread over the run, epoch boundaries among them; None where updates are not seen."""
    if sides.lacking("update"):
        return None
    ask_both(sides.left, sides.right, "state", {"values": starts[0]}, {"values": starts[1]})
    edges = [epoch * steps_per_epoch + shift for epoch in range(1, 4) for shift in (-1, 0, 1)]
    steps = sorted({s for s in [0, 1, 2, 5, 10, 20, 50, 100, total // 2, total - 1, *edges] if 0 <= s < total})
    left, right = (np.array(rates, np.float32) for rates in sides.ask("rates", steps=steps))
    return Rates(steps, left, right)


def judge_schedule(sides: Sides, rates: Rates | None) -> Judged:
    """The learning rate at each step."""
    if rates is None:
        return nothing_to_compare("schedule", f"within the whole step: {sides.lacking('update')}")
    unknown = [np.isnan(side) for side in (rates.left, rates.right)]
    if unknown[0].all() and unknown[1].all():
        return nothing_to_compare("schedule", "neither optimizer has a learning rate")
    if unknown[0].any() or unknown[1].any():
        return not_compared("schedule", "one side's learning rate cannot be read")
    apart = [
        Comparison("learning rate", step, floor.times_floor(one, [], other), float(one), float(other))
        for step, one, other in zip(rates.steps, rates.left, rates.right, strict=True)
    ]
    return judge("schedule", apart)


def judge_metrics(moments: Sequence[Moment]) -> Judged:
    """Metrics of one step, and loss and metrics of an evaluation that ends in a partial batch."""
    left, right = _names(moments[0].passes, "metrics|")
    paired = paired_metrics(left, right)
    missing = sorted({*left, *right} - {*paired, *paired.values()})
    note = f"not compared, on one side only: {', '.join(missing)}" if missing else ""
    return judge("metrics", (c for m in moments for c in _compare_metrics(m)), note)


def _compare_metrics(moment: Moment) -> Iterator[Comparison]:
    for kind, both, of in (("metrics", moment.passes, ""), ("evaluation", moment.evaluations, " of an evaluation")):
        pairs = paired_metrics(*_names(both, f"{kind}|"))
        for comparison in _compare_all(kind, list(pairs.items()), [(moment.step, both)]):
            yield replace(comparison, name=comparison.name + of)


def _compare_all(kind: str, twins: Sequence[Twin], watched: Iterable[tuple[int, Both]]) -> Iterator[Comparison]:
    """Compare one kind of tensor at each step, one at a time, so that who has seen enough can stop."""
    for step, both in watched:
        for name, twin in twins:
            yield _compare(both, kind, name, twin, step)


def _compare(both: Both, kind: str, name: str, twin: str, step: int) -> Comparison:
    """Compare a tensor with its twin, which is seen under the left name unless it is a metric."""
    left, right = both
    one, other = f"{kind}|{name}", f"{kind}|{name}" if f"{kind}|{name}" in right.seen else f"{kind}|{twin}"
    worst = worst_element(name, left.seen[one], twin, right.seen[other])
    times, decided = distance(left, one, right, other)
    return Comparison(name.replace("|", " of "), step, times, *worst, in_double=decided)


def _parameters(sides: Sides) -> list[Twin]:
    return list(sides.parameters.right_names.items())


def _named(sides: Sides, names: Iterable[str]) -> list[Twin]:
    return [(name, sides.right_name(name)) for name in names]


def _reachable(sides: Sides, moments: Sequence[Moment]) -> list[Moment]:
    """The moments whose state the right optimizer can be put into."""
    return [m for m in moments if _can_reach(sides, m.step)]


def _can_reach(sides: Sides, step: int) -> bool:
    return step == 0 or sides.slots_pair()


def _with_the_same_rate(moments: Sequence[Moment], rates: Rates | None) -> list[Moment]:
    """The moments at which an update is given the same learning rate, since a schedule has a stage of its own.

    All of them where no rate changes: then it is a setting of the optimizer.
    """
    return [m for m in moments if m.same_rate] if rates is not None and rates.scheduled else list(moments)


def _names(both: Both, kind: str) -> tuple[list[str], list[str]]:
    left, right = ([key.split("|", 1)[1] for key in side.seen if key.startswith(kind)] for side in both)
    return left, right


def _both_count(both: Both) -> bool:
    return all(int(side.seen.get("counters|step", -1)) >= 0 for side in both)
