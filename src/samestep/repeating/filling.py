"""Filling the stores with what an engine gives, and what is shown meanwhile."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from samestep.data import Split
from samestep.errors import ProgramError, UsageError
from samestep.repeating.one_run import Outcome, Task
from samestep.repeating.sources import Repeated
from samestep.repeating.store import Store
from samestep.repeating.vectorised import Told

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""
Engine = Callable[[Sequence[Task], Split | None], Iterator[tuple[Task, Outcome]]]
"""Runs tasks, and gives what comes of each as it finishes."""
USUAL_METRICS = ("val_accuracy", "val_loss", "loss")
"""What is compared where no metric is named: the first of these that there is."""
FAILURES = 3
"""Runs that may fail before any went well; then the program is at fault, not a seed."""
PROGRAM_SILENCE, SCRIPT_SILENCE = 300.0, 3600.0
"""Seconds after which a run counts as hung; a program's own loop is heard of, a script may have nothing to say."""


@dataclass(frozen=True)
class Settings:
    """What all groups are trained on and how long; split is None where all are scripts."""

    split: Split | None
    data: str
    batch_size: int
    epochs: int

    def depends_on(self, group: Repeated) -> dict[str, str]:
        """What the values of a group depend on."""
        found = group.fingerprint()
        if group.python:
            found["the interpreter"] = group.python
        if group.source is not None:
            found |= {"the data": self.data, "the batch size": str(self.batch_size), "epochs": str(self.epochs)}
        return found


@dataclass(frozen=True)
class Filling:
    """The groups of a repeat, the stores of their values, and how the stores are filled."""

    groups: Sequence[Repeated]
    stores: Sequence[Store]
    settings: Settings
    metric: str | None
    timeout: float | None
    retry_failed: bool
    progress: Progress

    def fill(self, seeds: Sequence[int], run: Engine) -> None:
        """Run what is missing, and keep each value as soon as it exists."""
        for store in self.stores:
            self._metric([store])  # a wrong name is told before the work
        retry_failed = self.retry_failed
        while tasks := self._missing(seeds, retry_failed):
            self._run(tasks, seeds, run, retry_failed)
            retry_failed = False

    def _run(self, tasks: Sequence[Task], seeds: Sequence[int], run: Engine, retry_failed: bool) -> None:
        stores, errors = {store.name: store for store in self.stores}, list[Outcome]()
        self.progress(self._shown(seeds), self._share(seeds))
        with closing(run(tasks, self.settings.split)) as finished:  # type: ignore[type-var]
            for task, outcome in finished:
                store = stores[task.group.name]
                if store.lacks(outcome.seed, retry_failed):
                    store.add(outcome)
                self._metric([store])
                errors += [outcome] if outcome.error else []
                _check_that_some_go_well(store, errors)
                self.progress(self._shown(seeds), self._share(seeds))

    def values(self, seeds: Sequence[int]) -> tuple[dict[str, dict[int, float]], dict[str, dict[int, str]], str]:
        """{group: {seed: value}}, {group: {seed: error}}, and the metric that these are of."""
        metric = self._metric(self.stores)
        values: dict[str, dict[int, float]] = {}
        failed: dict[str, dict[int, str]] = {}
        for store in self.stores:
            outcomes = {seed: store.outcomes[seed] for seed in seeds}
            values[store.name] = {s: o.metrics[metric] for s, o in outcomes.items() if metric in o.metrics}
            lacking = f"there is no {metric} among what it gave"
            failed[store.name] = {s: o.error or lacking for s, o in outcomes.items() if metric not in o.metrics}
        return values, failed, metric

    def tell(self, told: Told) -> None:
        """Note what the vectorised engine did."""
        checked = "" if told.checked is None else f", seed {told.checked} checked against a plain run"
        note = f"{told.width} seeds were trained at once{checked}; {told.note.removeprefix(told.group + ': ')}"
        next(store for store in self.stores if store.name == told.group).add_note(note.removesuffix("; "))

    def watch(self, done: int, total: int) -> None:
        """Show how far seeds that are trained together are."""
        self.progress("training seeds together", done / total)

    def _missing(self, seeds: Sequence[int], retry_failed: bool) -> list[Task]:
        """Seeds first, so that all groups are about equally far."""
        missing = [store.missing(seeds, retry_failed) for store in self.stores]
        ordered = sorted({seed for one in missing for seed in one})
        pairs = [(group, one) for group, one in zip(self.groups, missing, strict=True)]
        return [self._task(group, seed) for seed in ordered for group, one in pairs if seed in one]

    def _task(self, group: Repeated, seed: int) -> Task:
        silence = self.timeout or (PROGRAM_SILENCE if group.source else SCRIPT_SILENCE)
        return Task(group, seed, self.settings.batch_size, self.settings.epochs, self.metric, silence)

    def _metric(self, stores: Sequence[Store]) -> str:
        """The metric that all of these groups have; of a group without any value nothing is asked."""
        names = [{n for o in store.outcomes.values() for n in o.metrics} for store in stores]
        common = sorted(set.intersection(*(given for given in names if given))) if any(names) else []
        if self.metric is not None and (self.metric in common or not any(names)):
            return self.metric
        usual = [name for name in USUAL_METRICS if name in common] or (common if len(common) == 1 else [])
        if self.metric is None and (usual or not any(names)):
            return usual[0] if usual else USUAL_METRICS[0]
        who = " and ".join(store.name for store in stores)
        raise UsageError(_no_metric(who, self.metric, common))

    def _share(self, seeds: Sequence[int]) -> float:
        done = sum(seed in store.outcomes for store in self.stores for seed in seeds)
        return done / (len(seeds) * len(self.stores))

    def _shown(self, seeds: Sequence[int]) -> str:
        """For each group how many seeds are done, and the mean with its interval so far."""
        metric = self._metric([store for store in self.stores if store.outcomes] or self.stores)
        return f"{metric}  " + "  ".join(_so_far(store, seeds, metric) for store in self.stores)


def _check_that_some_go_well(store: Store, errors: Sequence[Outcome]) -> None:
    """Raise ProgramError where no run of a group has gone well, and enough have failed."""
    failed = [outcome for outcome in errors if store.outcomes.get(outcome.seed) is outcome]
    if len(failed) >= FAILURES and all(outcome.error for outcome in store.outcomes.values()):
        raise ProgramError(
            f"{failed[0].error}\nSo it was with seed {failed[0].seed}; no run of {store.name} went well."
        )


def _no_metric(who: str, metric: str | None, names: Sequence[str]) -> str:
    given = f"It gives {', '.join(names)}." if names else "They give none in common."
    if metric is None:
        return f"{who}: which of its numbers is the metric? {given} Name one: --metric NAME"
    near = difflib.get_close_matches(metric, names, n=1)
    return f"{who} gives no metric {metric!r}. {given}" + (f" Did you mean {near[0]}?" if near else "")


def _so_far(store: Store, seeds: Sequence[int], metric: str) -> str:
    """A group's progress: mean and Student's 95 % interval of the finite values."""
    done = [store.outcomes[seed] for seed in seeds if seed in store.outcomes]
    values = np.array([outcome.metrics[metric] for outcome in done if metric in outcome.metrics])
    values = values[np.isfinite(values)]
    told = f"{store.name} {len(done)}/{len(seeds)}"
    if len(values) < 2:
        return told
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{told} {values.mean():.4g} ± {half:.2g}"
