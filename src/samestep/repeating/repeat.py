"""The whole of a repeat: what is repeated, from which seeds, by which engine, kept where, and what it says."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samestep.data import Split, load_split
from samestep.errors import ProgramError, UsageError, WorkerError
from samestep.frameworks import _rows
from samestep.matching.sources import defaults
from samestep.repeating import cluster, deciding, processes, sources, statistics, vectorised
from samestep.repeating.deciding import Look
from samestep.repeating.one_run import Outcome, Task
from samestep.repeating.sources import Repeated
from samestep.repeating.store import Store, holds_values
from samestep.repeating.vectorised import Told
from samestep.results import Group, RepeatResult

Progress = Callable[[str, float], None]
"""Told what is being done, and how far it is, from 0 to 1."""
Engine = Callable[[Sequence[Task], Split | None], Iterator[tuple[Task, Outcome]]]

ENGINES = ("auto", "vectorised", "processes", "ray")
USUAL_METRICS = ("val_accuracy", "val_loss", "loss")
"""What is compared where no metric is named: the first of these that there is."""
FAILURES = 3
"""Runs that may fail before any went well; then the program is at fault, not a seed."""
PROGRAM_SILENCE, SCRIPT_SILENCE = 300.0, 3600.0
"""Seconds after which a run counts as hung; a program's own loop is heard of, a script may have nothing to say."""


def repeat(
    program: str | Callable[..., Any],
    versus: str | Callable[..., Any] | Iterable[str | Callable[..., Any]] = (),
    *,
    seeds: int = 30,
    seed_from: int = 0,
    metric: str | None = None,
    frameworks: str | None = None,
    data: str | tuple[Any, ...] | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    arguments: Sequence[str] = (),
    higher_is_better: bool | None = None,
    margin: float | None = None,
    power: float = 0.8,
    paired: bool | None = None,
    until_decided: bool = False,
    most: int | None = None,
    engine: str = "auto",
    address: str | None = None,
    workers: int | None = None,
    folder: str | Path = "repeats",
    retry_failed: bool = False,
    python: str | None = None,
    timeout: float | None = None,
    progress: Progress = lambda doing, fraction: None,
) -> RepeatResult:
    """Is one program better than another, or is it luck? Each is trained from many seeds, and what comes of it is judged.

    program, versus: a program file ("FILE.py", "FILE.py:function"), an experiment ("sequence", "sequence:torch"), a script that
    prints its metric ("train.py", "train.py --rate 0.1"), or a function of a seed that returns a number or a dict of numbers.
    seeds: how many, from seed_from on. metric: by its name; val_accuracy, val_loss or loss by default. frameworks: of an
    experiment, "keras,torch". data, batch_size, epochs: as for match; data has rows to evaluate on, see `data.load_split`.
    arguments: of scripts, in which {seed} stands for the seed; SAMESTEP_SEED holds it too. higher_is_better, margin, power,
    paired: see `statistics.judge`. until_decided: add seeds until every comparison is decided, up to most (ten times seeds).
    engine: "vectorised", "processes" or "ray", at address; "auto" takes the first that the program allows. workers: runs at
    once, one a core by default. folder: where values are kept; what is there is not run again, but for failed seeds with
    retry_failed. python: the interpreter that runs it all. timeout: seconds of silence after which a run counts as hung.
    Raises SamestepError for bad input, and where the first runs all fail.
    """
    others = [versus] if isinstance(versus, str) or callable(versus) else list(versus)
    groups = sources.groups(program, others, frameworks=frameworks, arguments=arguments, python=python)
    alone = len(groups) == 1
    _check_options(seeds, seed_from, batch_size, epochs, workers, until_decided, most, alone)
    _check_engine(engine, address)
    settings = _settings(groups, data, batch_size, epochs)
    counts: Sequence[int | Look] = deciding.plan(seeds, most or 10 * seeds) if until_decided else [seeds]
    paired = False if paired is None and not all(group.seeded for group in groups) else paired
    judge = partial(statistics.judge, higher_is_better=higher_is_better, margin=margin, power=power, paired=paired)

    def answer(name: str) -> RepeatResult:
        with ExitStack() as stack:
            stores = [stack.enter_context(_store(Path(folder), group, settings, name)) for group in groups]
            work = _Work(groups, stores, settings, metric, timeout, retry_failed, progress)
            return _judged(work, _engine(name, work, workers, address), counts, seed_from, partial(judge, engine=name))

    if engine != "auto" or address:
        return answer("ray" if engine == "auto" else engine)
    why = ""
    if _may_be_trained_together(groups, Path(folder)):
        try:
            return answer("vectorised")
        except (ProgramError, WorkerError) as error:  # if it is the program's own, the other engine will meet it too
            why = f"Trained one by one: {str(error).splitlines()[0]}"
    result = answer("processes")
    return replace(result, note=" ".join(filter(None, [result.note, why])))


def _judged(
    work: _Work, run: Engine, counts: Sequence[int | Look], seed_from: int, judge: Callable[..., RepeatResult]
) -> RepeatResult:
    """Fill up to each of these numbers of seeds, until the last or until it is decided, and say what the values say."""
    for count in counts:
        look = None if isinstance(count, int) else count
        seeds = range(seed_from, seed_from + (count if isinstance(count, int) else count.seeds))
        work.fill(seeds, run)
        values, failed, metric = work.values(seeds)
        result = judge(metric, values, failed=failed, look=look)
        if look is not None and deciding.decided(result):
            break
    return _told(result, work)


def _store(folder: Path, group: Repeated, settings: _Settings, engine: str) -> Store:
    """Values of plain runs have one file whichever engine runs them; those that are computed together another."""
    kind = engine if engine == "vectorised" else ""
    return Store(folder, group.name, settings.depends_on(group), kind)


def _engine(name: str, work: _Work, workers: int | None, address: str | None) -> Engine:
    if name == "vectorised":
        return partial(vectorised.outcomes, told=work.tell, watch=work.watch)
    if name == "ray":
        return partial(cluster.outcomes, workers=workers, address=address)
    return partial(processes.outcomes, workers=workers)


def _may_be_trained_together(groups: Sequence[Repeated], folder: Path) -> bool:
    """Whether it is worth trying for all groups, which are run in one way.

    Values of plain runs that are there are gone on with; and a function that may be a whole training is not run to find out.
    """
    programs = all(group.source and group.source.function.startswith("build") for group in groups)
    return programs and not any(holds_values(folder, group.name) for group in groups)


def _check_options(
    seeds: int,
    seed_from: int,
    batch_size: int | None,
    epochs: int | None,
    workers: int | None,
    until_decided: bool,
    most: int | None,
    alone: bool,
) -> None:
    at_least_one = {"seeds": seeds, "the batch size": batch_size, "epochs": epochs, "workers": workers}
    for name, value in at_least_one.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} should be at least 1, it is {value}.")
    if not 0 <= seed_from <= 2**32 - seeds:
        raise UsageError(f"seeds go from 0 to 2**32 - 1; --seed-from is {seed_from}.")
    if until_decided and alone:
        raise UsageError("--until-decided: nothing is to be decided of one program. Compare it: --versus OTHER.py")
    if most is not None and not until_decided:
        raise UsageError("--most is how far seeds are added with --until-decided; without that --seeds says how many.")
    if most is not None and most < seeds:
        raise UsageError(f"--most is {most}, and --seeds, where it begins, is {seeds}.")


def _check_engine(engine: str, address: str | None) -> None:
    if engine not in ENGINES:
        raise UsageError(f"no engine is called {engine!r}. There are {', '.join(ENGINES)}.")
    if address is not None and engine not in ("auto", "ray"):
        raise UsageError(f"--address is of a Ray cluster, to be used with --engine ray, not with {engine}.")


@dataclass(frozen=True)
class _Settings:
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


def _settings(
    groups: Sequence[Repeated], data: str | tuple[Any, ...] | None, batch_size: int | None, epochs: int | None
) -> _Settings:
    names = [group.name for group in groups if group.source is not None]
    if not names:
        given = {"--data": data, "--batch-size": batch_size, "--epochs": epochs}
        unused = [option for option, value in given.items() if value is not None]
        if unused:
            raise UsageError(f"{' and '.join(unused)}: a script has its own. Give it what it takes, after --.")
        return _Settings(None, "", 0, 0)
    usual = next((found for name in names if (found := defaults(name, None))[0] != "digits"), defaults(names[0], None))
    split = load_split(usual[0] if data is None else data)
    return _Settings(split, _digest(split), batch_size or usual[1], epochs or usual[2])


def _digest(split: Split) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part, rows in (("train", split.train), ("held", split.held)):
        for name, array in {**_rows.named("x", rows.x), **_rows.named("y", rows.y)}.items():
            digest.update(f"{part} {name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Work:
    """Filling the stores with what an engine gives."""

    groups: Sequence[Repeated]
    stores: Sequence[Store]
    settings: _Settings
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


def _told(result: RepeatResult, work: _Work) -> RepeatResult:
    """The result with what a person should know of how its values came about."""
    told = tuple(_with_note(*each) for each in zip(result.groups, work.groups, work.stores, strict=True))
    split, note = work.settings.split, result.note
    if split is not None and result.metric.startswith("val_"):
        note = f"{note} {result.metric} is measured on {split.held_out} ({split.train.name}).".lstrip()
    return replace(result, groups=told, note=note)


def _with_note(group: Group, repeated: Repeated, store: Store) -> Group:
    first = group.failed[0] if group.failed else None
    error = f"seed {first.seed} failed: {first.error.splitlines()[0].removeprefix(group.name + ': ')}" if first else ""
    seed = "" if repeated.seeded else _NO_SEED
    return replace(group, note="; ".join(filter(None, [group.note, error.rstrip("."), store.note, seed])))


_NO_SEED = (
    f"its seed was not used: it names neither {sources.SEED_VARIABLE} nor {sources.SEED_FIELD}, so that its runs differ by "
    "whatever it leaves to chance"
)
