"""The whole of a match: start both programs, let them run, judge stage by stage, give one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep import data as datasets
from samestep.errors import ProgramError, UsageError
from samestep.matching import floor, judging, stages
from samestep.matching.aligning import align
from samestep.matching.batches import compare_batches
from samestep.matching.free_run import run_freely
from samestep.matching.initial import compare_initial
from samestep.matching.judging import Judged, not_compared
from samestep.matching.sides import Sides, State, ask_both
from samestep.matching.sources import Source, pair
from samestep.results import Epoch, MatchResult, Side
from samestep.worker.parent import Worker

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""

EPOCHS = 3
"""Length of the free run, as in the articles, where nothing else is asked for."""


def match(
    left: str,
    right: str | None = None,
    *,
    frameworks: str | None = None,
    data: str | tuple[Any, Any] = "digits",
    batch_size: int = 32,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    own_init: bool = False,
    left_python: str | None = None,
    right_python: str | None = None,
    timeout: float = 300.0,
    progress: Progress = lambda doing, fraction: None,
) -> MatchResult:
    """Do two programs train the same network, apart from rounding?

    left, right: ``FILE.py``, ``FILE.py:function``, an experiment, or ``experiment:framework``; without right, one
    experiment in two frameworks ("tensorflow1,keras" by default). data: ``digits``, ``mnist``, ``FILE.npz``,
    ``FILE.py:function`` or arrays (x, y). epochs (3) or steps: length of the free run. seed: of initial weights and
    perturbations. own_init: keep each side's own initial weights in the free run, and judge their distributions.
    timeout: seconds of silence after which a program counts as hung. Raises SamestepError for bad input.
    """
    _check_options(batch_size, epochs, steps)
    sources = pair(left, right, frameworks)
    dataset = datasets.load(data)
    steps_per_epoch = -(-len(dataset.x) // batch_size)
    total = steps or (epochs or EPOCHS) * steps_per_epoch
    pythons = (left_python, right_python)
    task = _Task(sources, pythons, dataset, batch_size, steps_per_epoch, total, seed, own_init, timeout, progress)
    progress("starting both programs", 0.0)
    with task.start(0) as left_worker, task.start(1) as right_worker:
        left_worker.receive()
        right_worker.receive()
        return _Match(task, (left_worker, right_worker)).run()


def _check_options(batch_size: int, epochs: int | None, steps: int | None) -> None:
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
    timeout: float
    progress: Progress

    def start(self, side: int) -> Worker:
        """A process of one side's program that is told to load it; its answer is still to be received."""
        label = f"{('left', 'right')[side]} ({self.sources[side].label})"
        worker = Worker(label, python=self.pythons[side], timeout=self.timeout)
        source = {**asdict(self.sources[side]), "label": label}
        worker.send("load", source=source, seed=self.seed, x=self.dataset.x, y=self.dataset.y)
        return worker

    def fresh_left(self) -> Worker:
        """Another process of the left program, loaded."""
        worker = self.start(0)
        try:
            worker.receive()
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
        self.sides = Sides(
            *workers,
            described=described,
            parameters=align(described[0]["parameters"], described[1]["parameters"]),
            buffers=align(described[0]["buffers"], described[1]["buffers"]),
            rate=workers[0].ask("settings").get("learning_rate", {}).get("value", float("nan")),
        )

    def run(self) -> MatchResult:
        """All stages, and the verdict."""
        for worker, description in zip((self.sides.left, self.sides.right), self.sides.described, strict=True):
            _check_shapes(worker, description, self.task.dataset.name)
        aligned = stages.judge_alignment(self.sides)
        epochs: tuple[Epoch, ...] = ()
        if self.sides.parameters.complete and self.sides.buffers.complete:
            later, epochs = self._compare_states()
        else:
            later = [not_compared("forward", "parameters without a twin: no common state to compare from")]
        self.task.progress("data", 1.0)
        judged = [compare_batches(self.sides, self.task.batch_size), aligned, *later]
        return _result(self.task, self.sides, judging.blame(judged), epochs)

    def _compare_states(self) -> tuple[list[Judged], tuple[Epoch, ...]]:
        task, starts = self.task, self.sides.ask("state")
        for worker, start in zip((self.sides.left, self.sides.right), starts, strict=True):
            _check_finite(worker, start)
        free = run_freely(self.sides, starts, task.plan, self.rng, task.own_init, task.fresh_left, self._watch_run)
        initial = compare_initial(self.sides, *starts, own_init=task.own_init)
        moments = [self._moment(step, state) for step, state in self._trajectory(starts[0])]
        judged = self._judge(starts, moments)
        if free.departure is not None and not any(entry.stage.verdict == "different" for entry in judged):
            task.progress(f"where the free run parts: step {free.departure}", 1.0)
            moments.append(self._moment(free.departure, self._state_at(free.departure, starts[0])))
            judged = self._judge(starts, moments)
        return [initial, *judged, free.judged], free.epochs

    def _judge(self, starts: tuple[State, State], moments: list[stages.Moment]) -> list[Judged]:
        """The stages between the initial weights and the free run, over all moments seen.

        One that would only follow from an earlier difference is not worth more draws.
        """
        sides, task = self.sides, self.task
        judges: dict[str, Callable[[], Judged]] = {
            "forward": lambda: stages.judge_forward(moments),
            "loss": lambda: stages.judge_loss(moments),
            "gradients": lambda: stages.judge_gradients(sides, moments),
            "update": lambda: stages.judge_update(sides, moments),
            "slots": lambda: stages.judge_slots(sides, moments),
            "buffers": lambda: stages.judge_buffers(sides, moments),
            "step": lambda: stages.judge_step(sides, moments),
            "schedule": lambda: stages.judge_schedule(sides, starts, task.total, task.steps_per_epoch),
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
        left, right = self.sides.ask("rows", start=first, stop=first + size)
        shared = {name: _as_wanted(left[name], right[name]) for name in ("x", "y")}
        rows = min(len(self.task.dataset.x), 2 * size + max(1, size // 3))
        return stages.observe(self.sides, state, (left, shared), step, rows, size, self.rng)


def _as_wanted(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """The left side's rows in the right side's precision; the right side's own where it wants another form."""
    return left.astype(right.dtype, copy=False) if left.shape == right.shape else right


def _check_shapes(worker: Worker, description: dict[str, Any], data: str) -> None:
    rows = worker.ask("rows", start=0, stop=1)["x"].shape[1:]
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


def _result(task: _Task, sides: Sides, judged: list[Judged], epochs: tuple[Epoch, ...]) -> MatchResult:
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
        epochs=epochs,
        data=task.dataset.name,
        batch_size=task.batch_size,
        steps=task.total,
        seed=task.seed,
    )
