"""The whole of a match: start both programs, let them run, judge stage by stage, give one verdict."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from samestep import data as datasets
from samestep.errors import ProgramError, UsageError
from samestep.explain.case import Case
from samestep.explain.causes import find_causes
from samestep.matching import floor, judging, randomness, stages
from samestep.matching.aligning import Alignment, align
from samestep.matching.batches import compare_batches
from samestep.matching.double import Doubles
from samestep.matching.free_run import judge_in_double, run_freely
from samestep.matching.initial import compare_initial
from samestep.matching.judging import Judged, not_compared
from samestep.matching.settling import settle
from samestep.matching.sides import Sides, State, ask_both
from samestep.matching.sources import Source, defaults, in_frameworks, pair, pairs_from
from samestep.results import SAME, Cause, Epoch, MatchResult, Side
from samestep.worker.parent import Worker

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""


def match(
    left: str,
    right: str | None = None,
    *,
    frameworks: str | None = None,
    data: str | tuple[Any, Any] | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    own_init: bool = False,
    left_python: str | None = None,
    right_python: str | None = None,
    pairs: str | None = None,
    explain: bool = True,
    timeout: float = 300.0,
    progress: Progress = lambda doing, fraction: None,
) -> MatchResult:
    """Do two programs train the same network, apart from rounding?

    left, right: ``FILE.py``, ``FILE.py:function``, an experiment, or ``experiment:framework``; without right, one
    experiment in two frameworks ("tensorflow1,keras" by default). data: ``digits``, ``mnist``, ``FILE.npz``,
    ``FILE.py:function`` or arrays (x, y). batch_size (32). epochs (3) or steps: length of the free run. seed: of initial
    weights and perturbations. own_init: keep each side's own initial weights in the free run, and judge their
    distributions. pairs: a file that says which left tensor is which right one. explain: look for the causes of a
    difference, which takes some seconds more. timeout: seconds of silence after which
    a program counts as hung. An experiment has data, batch size and epochs of its own. Raises SamestepError for bad input.
    """
    options = _Options(left, right, data, batch_size, epochs, steps, seed, own_init, pairs, explain, timeout, progress)
    return _compare(options.task(pair(left, right, frameworks), (left_python, right_python)))


def match_each(
    experiment: str,
    frameworks: str,
    *,
    data: str | tuple[Any, Any] | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    own_init: bool = False,
    explain: bool = True,
    timeout: float = 300.0,
    progress: Progress = lambda doing, fraction: None,
) -> list[MatchResult]:
    """One experiment in several frameworks, each against the first; the arguments are those of match."""
    first, *others = in_frameworks(experiment, frameworks)
    tasks = []
    for number, other in enumerate(others):

        def show(doing: str, fraction: float, number: int = number, label: str = other.label) -> None:
            progress(f"{label}: {doing}", (number + fraction) / len(others))

        options = _Options(
            experiment, None, data, batch_size, epochs, steps, seed, own_init, None, explain, timeout, show
        )
        tasks.append(options.task((first, other), (None, None)))
    return _compare_each(tasks)


def _compare_each(tasks: Sequence[_Task]) -> list[MatchResult]:
    """The results of tasks with one left program, which serves them all; the next right one starts while one is compared."""
    results = []
    with ExitStack() as running:
        left = running.enter_context(tasks[0].start(0))
        rights = [running.enter_context(tasks[0].start(1))]
        left.receive()
        start = left.ask("state")
        for task, following in zip(tasks, [*tasks[1:], None], strict=True):
            rights += [running.enter_context(following.start(1))] if following else []
            with rights.pop(0) as right:
                right.receive()
                results.append(_Match(task, (left, right)).run())
            left.ask("state", values=start)
    return results


def _compare(task: _Task) -> MatchResult:
    task.progress("starting both programs", 0.0)
    with task.start(0) as left_worker, task.start(1) as right_worker:
        left_worker.receive()
        right_worker.receive()
        return _Match(task, (left_worker, right_worker)).run()


@dataclass(frozen=True)
class _Options:
    """What the user asked for, and what an experiment has where nothing was."""

    left: str
    right: str | None
    data: str | tuple[Any, Any] | None
    batch_size: int | None
    epochs: int | None
    steps: int | None
    seed: int
    own_init: bool
    pairs: str | None
    explain: bool
    timeout: float
    progress: Progress

    def task(self, sources: tuple[Source, Source], pythons: tuple[str | None, str | None]) -> _Task:
        """What is to be done for these two programs."""
        _check_options(self.batch_size, self.epochs, self.steps)
        data, batch_size, epochs = defaults(self.left, self.right)
        dataset, size = datasets.load(data if self.data is None else self.data), self.batch_size or batch_size
        per_epoch = -(-dataset.rows // size)
        total = self.steps or (self.epochs or epochs) * per_epoch
        named = pairs_from(self.pairs)
        how = (self.seed, self.own_init, self.explain, self.timeout, self.progress, named)
        return _Task(sources, pythons, dataset, size, per_epoch, total, *how)


def _check_options(batch_size: int | None, epochs: int | None, steps: int | None) -> None:
    for name, value in (("batch size", batch_size), ("number of epochs", epochs), ("number of steps", steps)):
        if value is not None and value < 1:
            raise UsageError(f"the {name} should be at least 1, it is {value}.")
    if epochs is not None and steps is not None:
        raise UsageError("give a number of epochs or of steps, not both.")


@dataclass(frozen=True)
class _Task:
    """What was asked: two programs, the data, and the length of the free run in steps."""

    sources: tuple[Source, Source]
    pythons: tuple[str | None, str | None]
    dataset: datasets.Dataset
    batch_size: int
    steps_per_epoch: int
    total: int
    seed: int
    own_init: bool
    explain: bool
    timeout: float
    progress: Progress
    pairs: dict[str, str] = field(default_factory=dict)

    def start(self, side: int, double: bool = False) -> Worker:
        """A process of one side's program that is told to load it, in float64 if so; its answer is still to be received."""
        label = f"{('left', 'right')[side]} ({self.sources[side].label})"
        source = self.sources[side]
        variables = dict(source.environment)
        worker = Worker(label, python=self.pythons[side], timeout=self.timeout, environment=variables)
        named, rows = {**asdict(source), "label": label}, {"x": self.dataset.x, "y": self.dataset.y}
        worker.send("load", source=named, seed=self.seed, **rows, double=double)
        return worker

    def fresh_left(self) -> Worker:
        """Another process of the left program, loaded."""
        worker = self.start(0)
        try:
            worker.receive()
            worker.ask("randomness", seed=self.seed, plan=None)
        except BaseException:
            worker.close()
            raise
        return worker

    @property
    def plan(self) -> dict[str, int]:
        """The arguments of the `train` request of the free run."""
        epochs = -(-self.total // self.steps_per_epoch)
        return {"batch_size": self.batch_size, "epochs": epochs, "steps": self.total}


class _Match:
    """One comparison under way."""

    def __init__(self, task: _Task, workers: tuple[Worker, Worker]) -> None:
        self.task, self.rng = task, np.random.default_rng(task.seed)
        described = ask_both(*workers, "describe", {}, {})
        for worker, description in zip(workers, described, strict=True):
            _check_shapes(worker, description, task.dataset.name)
        rate = workers[0].ask("settings").get("learning_rate", {}).get("value", float("nan"))
        sides = Sides(*workers, described, Alignment(()), Alignment(()), rate)
        self.batches = shared_rows(sides, 0, task.batch_size)
        x = self.batches[0]["x"], self.batches[1]["x"]
        self.sides = pair_tensors(sides, x, task.pairs, self.rng)
        drawing: randomness.Drawing = (None, None)
        if self.sides.parameters.complete and self.sides.buffers.complete:
            drawing = randomness.share(self.sides, x, task.seed)
        self.doubles = Doubles(partial(task.start, double=True), described, drawing)
        self.starts: tuple[State, State] = self.sides.ask("state")

    def run(self) -> MatchResult:
        """All stages, and the verdict."""
        with self.doubles:
            return self._run()

    def _run(self) -> MatchResult:
        aligned = stages.judge_alignment(self.sides)
        epochs: tuple[Epoch, ...] = ()
        if self.sides.parameters.complete and self.sides.buffers.complete:
            later, epochs = self._compare_states()
        else:
            later = [not_compared("forward", "parameters without a twin: no common state to compare from")]
        self.task.progress("data", 1.0)
        judged = judging.blame([compare_batches(self.sides, self.task.batch_size), aligned, *later])
        return _result(self.task, self.sides, *self._explained(judged), epochs)

    def _explained(self, judged: list[Judged]) -> tuple[list[Judged], tuple[Cause, ...]]:
        """The stages, and the causes of those that differ or may do so."""
        task = self.task
        if not task.explain or not any(judging.doubtful(entry) for entry in judged):
            return judged, ()
        task.progress("looking for the cause", 1.0)
        lengths = (task.total, task.steps_per_epoch, task.batch_size)
        found, causes = find_causes(Case(self.sides, self.starts, self.batches, judged, *lengths, self.rng))
        return judging.blame(found), causes  # a stage decided by its cause may be what later ones follow from

    def _compare_states(self) -> tuple[list[Judged], tuple[Epoch, ...]]:
        task, starts = self.task, self.starts
        for worker, start in zip((self.sides.left, self.sides.right), starts, strict=True):
            _check_finite(worker, start)
        free = run_freely(self.sides, starts, task.plan, self.rng, task.own_init, task.fresh_left, self._watch_run)
        initial = compare_initial(self.sides, *starts, own_init=task.own_init)
        moments = [self._moment(step, state) for step, state in self._trajectory(starts[0])]
        rates = stages.read_rates(self.sides, starts, task.total, task.steps_per_epoch)
        judged = self._judge(rates, moments)
        parted = free.judged
        if free.departure is not None and not any(entry.stage.verdict == "different" for entry in judged):
            task.progress(f"where the free run parts: step {free.departure}", 1.0)
            moments.append(self._moment(free.departure, self._state_at(free.departure, starts[0])))
            judged = self._judge(rates, moments)
            if all(entry.stage.verdict in SAME for entry in judged):
                parted = judge_in_double(free, self.sides, starts[0], task.plan, self.doubles)
        return [initial, *judged, parted], free.epochs

    def _judge(self, rates: stages.Rates | None, moments: list[stages.Moment]) -> list[Judged]:
        """The stages between the initial weights and the free run, over all moments seen.

        One that would only follow from an earlier difference is not worth more draws.
        """
        sides = self.sides
        judges: dict[str, Callable[[], Judged]] = {
            "forward": lambda: stages.judge_forward(moments),
            "loss": lambda: stages.judge_loss(sides, moments),
            "gradients": lambda: stages.judge_gradients(sides, moments),
            "update": lambda: stages.judge_update(sides, moments, rates),
            "slots": lambda: stages.judge_slots(sides, moments, rates),
            "buffers": lambda: stages.judge_buffers(sides, moments),
            "schedule": lambda: stages.judge_schedule(sides, rates),
            "step": lambda: stages.judge_step(sides, moments),
            "metrics": lambda: stages.judge_metrics(moments),
        }
        judged: list[Judged] = []
        for stage, judge in judges.items():
            for moment in moments:
                moment.allow(floor.DRAWS if judging.follows(stage, judged) else floor.MORE_DRAWS)
            judged.append(judge())
        return judged

    def _watch_run(self, fraction: float) -> None:
        self.task.progress("free run", 0.05 + 0.55 * fraction)

    def _trajectory(self, start: State) -> Iterator[tuple[int, State]]:
        """States of the left program along its own training, at the probed steps."""
        probes = [step for step in stages.PROBES if step < self.task.total]
        state, at = start, 0
        for number, step in enumerate(probes):
            self.task.progress(f"states along the training: step {step}", 0.6 + 0.4 * number / len(probes))
            state, at = self._state_at(step, state, at), step
            yield step, state

    def _state_at(self, step: int, state: State, at: int = 0) -> State:
        """The left program's state at this step, trained on from its state at an earlier one."""
        size, epoch = self.task.batch_size, self.task.steps_per_epoch
        self.sides.left.ask("state", values=state)
        while at < step:
            first = at % epoch
            count = min(step - at, epoch - first)
            self.sides.left.ask("train", batch_size=size, start=first * size, stop=(first + count) * size)
            at += count
        reached: State = self.sides.left.ask("state")
        return reached

    def _moment(self, step: int, state: State) -> stages.Moment:
        size = self.task.batch_size
        first = step % self.task.steps_per_epoch * size
        batches = shared_rows(self.sides, first, first + size)
        rows = min(self.task.dataset.rows, 2 * size + max(1, size // 3))
        return stages.observe(self.sides, state, batches, step, rows, size, self.rng, self.doubles)


def pair_tensors(sides: Sides, x: tuple[Any, Any], pairs: dict[str, str], rng: np.random.Generator) -> Sides:
    """The sides with their parameters and buffers aligned, by declaration, order and name first and then by the numbers.

    x: rows for either side. pairs: the names that the user paired.
    """
    left, right = sides.described
    _check_pairs(pairs, left, right)
    buffers = align(left["buffers"], right["buffers"], pairs)
    parameters = align(left["parameters"], right["parameters"], pairs)
    sides = replace(sides, parameters=parameters, buffers=replace(buffers, still=_still(sides, buffers)))
    complete = sides.parameters.complete and sides.buffers.complete
    if not complete or (left["framework"], left["parameters"]) == (right["framework"], right["parameters"]):
        return sides
    return settle(sides, x, rng)


def _check_pairs(pairs: dict[str, str], left: dict[str, Any], right: dict[str, Any]) -> None:
    """Raises UsageError for names in a --map file that no tensor has."""
    for side, described, names in (("left", left, pairs.keys()), ("right", right, pairs.values())):
        known = [entry["name"] for group in ("parameters", "buffers") for entry in described[group]]
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1) or known
                raise UsageError(f"--map: the {side} program has no tensor {name!r}. It has: {', '.join(near)}")


def _still(sides: Sides, buffers: Alignment) -> frozenset[str]:
    """Of the buffers left over, those that a training step does not change."""
    found: set[str] = set()
    for worker, over in ((sides.left, buffers.left_over), (sides.right, buffers.right_over)):
        if over:
            before = worker.ask("state")["buffers"]
            after = worker.ask("step", **worker.ask("rows", start=0, stop=8))["buffers"]
            found |= {t.name for t in over if np.array_equal(before[t.name], after[t.name], equal_nan=True)}
    return frozenset(found)


def shared_rows(sides: Sides, start: int, stop: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same rows x and y for either side: the left side's, or the right side's own where it wants another form."""
    left, right = sides.ask("rows", start=start, stop=stop)
    return left, {name: _as_wanted(left[name], right[name]) for name in ("x", "y")}


def _as_wanted(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        return {name: _as_wanted(left[name], right[name]) for name in right}
    if isinstance(left, dict) or isinstance(right, dict) or left.shape != right.shape:
        return right
    return left.astype(right.dtype, copy=False)


def _check_shapes(worker: Worker, description: dict[str, Any], data: str) -> None:
    x = worker.ask("rows", start=0, stop=1)["x"]
    if isinstance(x, dict):
        return  # the framework itself knows its inputs by name
    rows = x.shape[1:]
    for wanted in description["inputs"][:1]:
        shape = tuple(wanted["shape"][1:])
        if len(shape) != len(rows) or any(a not in (None, b) for a, b in zip(shape, rows, strict=True)):
            raise ProgramError(
                f"{worker.label}: the program takes rows of shape {shape}, the data {data} has rows of shape {rows}.\n"
                "Give data that fits, or a prepare(x, y) in the program file that reshapes it."
            )


def _check_finite(worker: Worker, state: State) -> None:
    for name, value in state["parameters"].items():
        bad = int(np.sum(~np.isfinite(value)))
        if bad:
            raise ProgramError(
                f"{worker.label}: {bad} of the {value.size} values of parameter {name} are NaN or infinite after build().\n"
                "Training cannot start from there: look at its initialiser."
            )


def _result(
    task: _Task, sides: Sides, judged: list[Judged], causes: tuple[Cause, ...], epochs: tuple[Epoch, ...]
) -> MatchResult:
    left, right = (
        Side(source.label, described["framework"], described["versions"])
        for source, described in zip(task.sources, sides.described, strict=True)
    )
    return MatchResult(
        verdict=judging.overall(judged),
        left=left,
        right=right,
        stages=tuple(entry.stage for entry in judged),
        first_difference=judging.first_difference(judged),
        causes=causes,
        epochs=epochs,
        data=task.dataset.name,
        batch_size=task.batch_size,
        steps=task.total,
        seed=task.seed,
    )
