"""The whole of a match: start both programs, judge stage by stage, run freely, give one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from samestep import data as datasets
from samestep.errors import ProgramError, UsageError
from samestep.matching import judging, stages
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
    with _workers(sources, (left_python, right_python), timeout) as workers:
        progress("starting both programs", 0.0)
        _load(workers, sources, seed, dataset)
        comparison = _Match(workers, dataset, batch_size, epochs, steps, seed, own_init, progress)
        return comparison.run(sources)


def _check_options(batch_size: int, epochs: int | None, steps: int | None) -> None:
    for name, value in (("batch size", batch_size), ("number of epochs", epochs), ("number of steps", steps)):
        if value is not None and value < 1:
            raise UsageError(f"the {name} should be at least 1, it is {value}.")
    if epochs is not None and steps is not None:
        raise UsageError("give a number of epochs or of steps, not both.")


@contextmanager
def _workers(
    sources: tuple[Source, Source], pythons: tuple[str | None, str | None], timeout: float
) -> Iterator[tuple[Worker, Worker]]:
    sides = [f"{side} ({source.label})" for side, source in zip(("left", "right"), sources, strict=True)]
    with (
        Worker(sides[0], python=pythons[0], timeout=timeout) as left,
        Worker(sides[1], python=pythons[1], timeout=timeout) as right,
    ):
        yield left, right


def _load(workers: tuple[Worker, Worker], sources: tuple[Source, Source], seed: int, dataset: datasets.Dataset) -> None:
    shared = {"seed": seed, "x": dataset.x, "y": dataset.y}
    requests = [
        {"source": {**asdict(source), "label": worker.label}, **shared}
        for worker, source in zip(workers, sources, strict=True)
    ]
    ask_both(*workers, "load", *requests)


class _Match:
    """One comparison under way: the two sides, the batches they are shown, and the plan of the run."""

    def __init__(
        self,
        workers: tuple[Worker, Worker],
        dataset: datasets.Dataset,
        batch_size: int,
        epochs: int | None,
        steps: int | None,
        seed: int,
        own_init: bool,
        progress: Progress,
    ) -> None:
        self.dataset, self.batch_size, self.progress = dataset, batch_size, progress
        self.seed, self.own_init, self.rng = seed, own_init, np.random.default_rng(seed)
        described = ask_both(*workers, "describe", {}, {})
        self.sides = Sides(
            *workers,
            described=described,
            parameters=align(described[0]["parameters"], described[1]["parameters"]),
            buffers=align(described[0]["buffers"], described[1]["buffers"]),
            rate=workers[0].ask("settings").get("learning_rate", {}).get("value", float("nan")),
        )
        self.rows = len(dataset.x)
        self.steps_per_epoch = -(-self.rows // batch_size)
        self.total = steps or (epochs or EPOCHS) * self.steps_per_epoch
        self.plan = {"batch_size": batch_size, "epochs": -(-self.total // self.steps_per_epoch), "steps": self.total}

    def run(self, sources: tuple[Source, Source]) -> MatchResult:
        """All stages, and the verdict."""
        for side, description in enumerate(self.sides.described):
            self._check_shapes(side, description)
        self.progress("data", 0.02)
        judged = [compare_batches(self.sides, self.batch_size), stages.judge_alignment(self.sides)]
        epochs: tuple[Epoch, ...] = ()
        if self.sides.parameters.complete and self.sides.buffers.complete:
            later, epochs = self._compare_states()
            judged += later
        else:
            judged.append(not_compared("forward", "parameters without a twin: no common state to compare from"))
        return self._result(sources, judging.blame(judged), epochs)

    def _compare_states(self) -> tuple[list[Judged], tuple[Epoch, ...]]:
        starts = self.sides.ask("state")
        self._check_finite(starts)
        initial = compare_initial(self.sides, *starts, own_init=self.own_init)
        moments = [self._moment(step, state) for step, state in self._trajectory(starts[0])]
        for worker, start in zip((self.sides.left, self.sides.right), starts, strict=True):
            worker.ask("state", values=start)
        names = self._metric_names(moments[0])
        left_metrics = _names(moments[0].passes[0].seen, "metrics|")
        judged = [
            initial,
            stages.judge_forward(moments),
            stages.judge_loss(moments),
            stages.judge_gradients(self.sides, moments),
            stages.judge_update(self.sides, moments),
            stages.judge_slots(self.sides, moments),
            stages.judge_buffers(self.sides, moments),
            stages.judge_step(self.sides, moments),
            stages.judge_schedule(self.sides, self.total, self.steps_per_epoch),
            stages.judge_metrics(moments, names, left_metrics),
        ]
        self.progress("free run", 0.4)
        free = run_freely(self.sides, starts, self.plan, self.rng, names, self.own_init, self._watch_run)
        return [*judged, free.judged], free.epochs

    def _watch_run(self, fraction: float) -> None:
        self.progress("free run", 0.4 + 0.6 * fraction)

    def _trajectory(self, start: State) -> Iterator[tuple[int, State]]:
        """States of the left program along its own training, at the probed steps."""
        probes = [step for step in stages.PROBES if step < self.total]
        state, at = start, 0
        for number, step in enumerate(probes):
            self.progress(f"states along the training: step {step}", 0.05 + 0.35 * number / len(probes))
            self.sides.left.ask("state", values=state)
            while at < step:
                first = at % self.steps_per_epoch
                count = min(step - at, self.steps_per_epoch - first)
                rows = {"start": first * self.batch_size, "stop": (first + count) * self.batch_size}
                self.sides.left.ask("train", batch_size=self.batch_size, **rows)
                at += count
            state = self.sides.left.ask("state")
            yield step, state

    def _moment(self, step: int, state: State) -> stages.Moment:
        first = step % self.steps_per_epoch * self.batch_size
        batches = self.sides.ask("rows", start=first, stop=first + self.batch_size)
        shared = {
            name: left if left.shape == right.shape else right
            for name, left, right in ((name, batches[0][name], batches[1][name]) for name in ("x", "y"))
        }
        rows = min(self.rows, 2 * self.batch_size + max(1, self.batch_size // 3))
        return stages.observe(self.sides, state, (batches[0], shared), step, rows, self.batch_size, self.rng)

    def _metric_names(self, moment: stages.Moment) -> dict[str, str]:
        """Left metric to right metric: by name, or by order where both have as many."""
        left, right = (_names(side.seen, "metrics|") for side in moment.passes)
        if set(left) != set(right) and len(left) == len(right):
            return dict(zip(left, right, strict=True))
        return {name: name for name in left if name in right}

    def _check_shapes(self, side: int, description: dict[str, Any]) -> None:
        worker = (self.sides.left, self.sides.right)[side]
        rows = worker.ask("rows", start=0, stop=1)["x"]
        for wanted in description["inputs"][:1]:
            shape = wanted["shape"][1:]
            fits = len(shape) == rows.ndim - 1 and all(
                a in (None, b) for a, b in zip(shape, rows.shape[1:], strict=True)
            )
            if not fits:
                raise ProgramError(
                    f"{worker.label}: the program takes rows of shape {tuple(shape)}, the data {self.dataset.name} has rows of "
                    f"shape {rows.shape[1:]}.\nGive data that fits, or a prepare(x, y) in the program file that reshapes it."
                )

    def _check_finite(self, states: tuple[State, State]) -> None:
        for worker, state in zip((self.sides.left, self.sides.right), states, strict=True):
            for name, value in state["parameters"].items():
                bad = int(np.sum(~np.isfinite(value)))
                if bad:
                    raise ProgramError(
                        f"{worker.label}: {bad} of the {value.size} values of parameter {name} are NaN or infinite after "
                        "build().\nTraining cannot start from there: look at its initialiser."
                    )

    def _result(self, sources: tuple[Source, Source], judged: list[Judged], epochs: tuple[Epoch, ...]) -> MatchResult:
        described = self.sides.described
        left, right = (
            Side(source.label, side["framework"], side["versions"])
            for source, side in zip(sources, described, strict=True)
        )
        return MatchResult(
            verdict=judging.overall(judged),
            left=left,
            right=right,
            stages=tuple(entry.stage for entry in judged),
            first_difference=judging.first_difference(judged),
            epochs=epochs,
            data=self.dataset.name,
            batch_size=self.batch_size,
            steps=self.total,
            seed=self.seed,
        )


def _names(seen: dict[str, Any], kind: str) -> list[str]:
    return [key.split("|", 1)[1] for key in seen if key.startswith(kind)]
