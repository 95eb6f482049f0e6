"""The whole of a repeat: what is repeated, from which seeds, by which engine, kept where, and what it says."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samestep.data import Split, load_split
from samestep.errors import ProgramError, UsageError, WorkerError
from samestep.experiments import EXPERIMENTS
from samestep.frameworks import _rows
from samestep.matching.sources import defaults
from samestep.repeating import cluster, deciding, processes, sources, statistics, vectorised
from samestep.repeating.deciding import Look
from samestep.repeating.filling import Engine, Filling, Progress, Settings
from samestep.repeating.sources import Repeated
from samestep.repeating.store import Store, holds_values
from samestep.results import Group, RepeatResult
from samestep.worker.parent import CHILD

ENGINES = ("auto", "vectorised", "processes", "ray")


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
    _check_not_in_a_run()
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
            filling = Filling(groups, stores, settings, metric, timeout, retry_failed, progress)
            return _judged(
                filling, _engine(name, filling, workers, address), counts, seed_from, partial(judge, engine=name)
            )

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
    filling: Filling, run: Engine, counts: Sequence[int | Look], seed_from: int, judge: Callable[..., RepeatResult]
) -> RepeatResult:
    """Fill up to each of these numbers of seeds, until the last or until it is decided, and say what the values say."""
    for count in counts:
        look = None if isinstance(count, int) else count
        seeds = range(seed_from, seed_from + (count if isinstance(count, int) else count.seeds))
        filling.fill(seeds, run)
        values, failed, metric = filling.values(seeds)
        result = judge(metric, values, failed=failed, look=look)
        if look is not None and deciding.decided(result):
            break
    return _told(result, filling)


def _store(folder: Path, group: Repeated, settings: Settings, engine: str) -> Store:
    """Values of plain runs have one file whichever engine runs them; those that are computed together another."""
    kind = engine if engine == "vectorised" else ""
    return Store(folder, group.name, settings.depends_on(group), kind)


def _engine(name: str, filling: Filling, workers: int | None, address: str | None) -> Engine:
    if name == "vectorised":
        return partial(vectorised.outcomes, told=filling.tell, watch=filling.watch)
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


def _check_not_in_a_run() -> None:
    """Raise UsageError in a run's own process, which would start runs of runs without end."""
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    if Path(main).resolve() == CHILD:
        raise UsageError(
            "samestep.repeat is called where the file of the repeated function is run.\n"
            'Call it only where the file is the program: if __name__ == "__main__":'
        )


def _check_engine(engine: str, address: str | None) -> None:
    if engine not in ENGINES:
        raise UsageError(f"no engine is called {engine!r}. There are {', '.join(ENGINES)}.")
    if address is not None and engine not in ("auto", "ray"):
        raise UsageError(f"--address is of a Ray cluster, to be used with --engine ray, not with {engine}.")


def _settings(
    groups: Sequence[Repeated], data: str | tuple[Any, ...] | None, batch_size: int | None, epochs: int | None
) -> Settings:
    names = [group.name for group in groups if group.source is not None]
    if not names:
        given = {"--data": data, "--batch-size": batch_size, "--epochs": epochs}
        unused = [option for option, value in given.items() if value is not None]
        if unused:
            raise UsageError(f"{' and '.join(unused)}: a script has its own. Give it what it takes, after --.")
        return Settings(None, "", 0, 0)
    experiments = [name for name in names if name.partition(":")[0] in EXPERIMENTS]
    usual = {name: defaults(name, None) for name in experiments} or {names[0]: defaults(names[0], None)}
    if data is None and len({found[0] for found in usual.values()}) > 1:
        told = ", ".join(f"{name} on {found[0]}" for name, found in usual.items())
        raise UsageError(
            f"these are trained on data of their own: {told}. Groups are compared on the same: --data NAME"
        )
    named, rows, length = next(iter(usual.values()))
    split = load_split(named if data is None else data)
    return Settings(split, _digest(split), batch_size or rows, epochs or length)


def _digest(split: Split) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part, rows in (("train", split.train), ("held", split.held)):
        for name, array in {**_rows.named("x", rows.x), **_rows.named("y", rows.y)}.items():
            digest.update(f"{part} {name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _told(result: RepeatResult, filling: Filling) -> RepeatResult:
    """The result with what a person should know of how its values came about."""
    told = tuple(_with_note(*each) for each in zip(result.groups, filling.groups, filling.stores, strict=True))
    split, note = filling.settings.split, result.note
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
