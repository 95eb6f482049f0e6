"""The vectorised engine: all seeds of a program in one compiled computation, in one process.

A sample of the seeds is checked against a plain run before any value is given out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from samestep.data import Split
from samestep.errors import NotVectorisable
from samestep.matching.floor import ROUNDING
from samestep.matching.sources import Source
from samestep.worker.parent import Worker

Metrics = dict[str, float]
KERAS_BACKEND = "KERAS_BACKEND"
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Vectorised:
    """What the engine did. note: what a person should know; times_floor: how far the checked seed was from its plain run."""

    width: int
    versions: dict[str, str]
    note: str = ""
    checked: int | None = None
    times_floor: float | None = None


def run(
    source: Source,
    seeds: Sequence[int],
    *,
    rows: Split,
    batch_size: int,
    epochs: int,
    report: Callable[[int, Metrics, dict[str, str]], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    python: str | None = None,
    timeout: float = 300.0,
    check: bool = True,
    started: Callable[[Worker], None] = lambda worker: None,
) -> Vectorised:
    """Train the program from each of the seeds, as plain runs would; report(seed, metrics, versions) group by group.

    progress(done, total) counts steps. check: whether one seed is also run plainly, on few rows. started is told of each
    process. Raises NotVectorisable, with the reason and before anything is reported, where values would not be those of
    plain runs.
    """
    parts = {"train": [rows.train.x, rows.train.y], "held": [rows.held.x, rows.held.y]}
    how: dict[str, Any] = {"source": asdict(source), **parts, "batch_size": batch_size, "epochs": epochs}
    theirs = dict(source.environment)
    environment = {**theirs, KERAS_BACKEND: "jax"}
    sample = seeds[len(seeds) // 2]
    with ThreadPoolExecutor(1) as pool, ExitStack() as processes:

        def begin(**variables: str) -> Worker:
            worker = Worker(source.label, environment={**environment, **variables}, python=python, timeout=timeout)
            processes.callback(worker.close)
            started(worker)
            return worker

        worker = begin()
        plain = pool.submit(_plainly, begin, how, sample) if check else None
        found = worker.ask("vectorise", seeds=list(seeds), **how)
        done = Vectorised(found["width"], found["versions"], _note(found, theirs))
        if plain is not None:
            done = _checked(done, sample, worker.ask("check_seed", seed=sample), plain)
        _run_groups(worker, seeds, found, report, progress)
    return done


def _run_groups(
    worker: Worker,
    seeds: Sequence[int],
    found: Mapping[str, Any],
    report: Callable[[int, Metrics, dict[str, str]], None],
    progress: Callable[[int, int], None],
) -> None:
    total = found["steps"] * len(seeds)
    for start in range(0, len(seeds), found["width"]):
        group = list(seeds[start : start + found["width"]])
        before = found["steps"] * start
        worker.on_progress = lambda done, _, before=before: progress(before + done, total)  # type: ignore[misc]
        for seed, metrics in zip(group, worker.ask("run_seeds", seeds=group), strict=True):
            report(seed, metrics, found["versions"])


def _plainly(begin: Callable[..., Worker], how: Mapping[str, Any], seed: int) -> Metrics:
    """The metrics of a plain run of this seed on few rows."""
    with begin(**ONE_THREAD, PYTHONHASHSEED=str(seed)) as worker:
        return dict(worker.ask("plain_run", seed=seed, on_few=True, **how)["metrics"])


def _note(found: Mapping[str, Any], theirs: Mapping[str, str]) -> str:
    backend = theirs.get(KERAS_BACKEND, os.environ.get(KERAS_BACKEND, found["default_backend"]))
    if found["framework"] != "keras" or backend == "jax":
        return ""
    return (
        f"trained on Keras's JAX backend, not on {backend}, for which it is written: the initial weights of a seed are others "
        "there, the distribution that they come from is the same"
    )


def _checked(done: Vectorised, seed: int, lanes: Sequence[Metrics], plain: Future[Metrics]) -> Vectorised:
    """Raise NotVectorisable unless the checked seed has the metrics of its plain run, apart from rounding."""
    own, *siblings = lanes
    alone = plain.result()
    if set(own) != set(alone):
        raise NotVectorisable(f"a plain run shows {', '.join(sorted(alone))}, the vectorised one {', '.join(sorted(own))}")
    distances = {name: _distance(own[name], alone[name], [s[name] for s in siblings]) for name in own}
    worst = max(distances, key=lambda name: distances[name])
    if distances[worst] > ROUNDING:
        raise NotVectorisable(
            f"its values would not be those of plain runs: on the same few rows seed {seed} has {worst} {alone[worst]:.9g} "
            f"alone and {own[worst]:.9g} beside others, which is {distances[worst]:.3g} times what rounding explains"
        )
    return Vectorised(done.width, done.versions, done.note, seed, distances[worst])


def _distance(own: float, alone: float, siblings: Sequence[float]) -> float:
    """How far two values are apart, in root mean squares of how far the ±1-ulp siblings are, at least a unit in the last place."""
    if own == alone or (math.isnan(own) and math.isnan(alone)):
        return 0.0
    if not math.isfinite(own) or not math.isfinite(alone):
        return math.inf
    spread = math.sqrt(sum((sibling - own) ** 2 for sibling in siblings) / len(siblings))
    return abs(own - alone) / max(spread, float(np.spacing(np.float32(abs(own)))))
