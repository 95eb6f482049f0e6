"""The vectorised engine: all seeds of a program in one compiled computation, in one process.

One of the seeds is checked against a plain run before any value is given out.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from samestep.data import Split
from samestep.errors import NotVectorisable
from samestep.matching.floor import ROUNDING
from samestep.repeating.one_run import Outcome, Process, Task
from samestep.worker.parent import Worker

Metrics = dict[str, float]
KERAS_BACKEND = "KERAS_BACKEND"


@dataclass(frozen=True)
class Told:
    """What the engine did for a group.

    width: seeds that were trained at once. checked: the seed that was also run plainly, on few rows; times_floor: how far its
    metrics were from those of that run, in reactions to ±1 ulp; both None without a check. note: what a person should know.
    """

    group: str
    width: int
    note: str = ""
    checked: int | None = None
    times_floor: float | None = None


def outcomes(
    tasks: Sequence[Task],
    rows: Split | None,
    *,
    check: bool = True,
    told: Callable[[Told], None] = lambda told: None,
    watch: Callable[[int, int], None] = lambda done, total: None,
    started: Callable[[Process], None] = lambda process: None,
) -> Iterator[tuple[Task, Outcome]]:
    """Run them all, program after program, and give those that were trained at once as they finish.

    check: whether a seed of each program is also run plainly. told says what was done for a program before its first outcome;
    watch(done, total) counts the steps of one. Raises NotVectorisable, with the reason and before the program's first outcome,
    where values would not be those of plain runs. What is running when the iterator is closed is ended.
    """
    by_group = itertools.groupby(sorted(tasks, key=lambda task: task.group.name), lambda task: task.group.name)
    for _, group in by_group:
        yield from _of_group(list(group), rows, check, told, watch, started)


def _of_group(
    tasks: Sequence[Task],
    rows: Split | None,
    check: bool,
    told: Callable[[Told], None],
    watch: Callable[[int, int], None],
    started: Callable[[Process], None],
) -> Iterator[tuple[Task, Outcome]]:
    task = tasks[0]
    if task.group.source is None:
        raise NotVectorisable(f"{task.group.name}: is a script, whose training is not seen")
    how = _request(task, rows)
    with ThreadPoolExecutor(1) as pool, ExitStack() as processes:

        def begin(variables: Mapping[str, str]) -> Worker:
            worker = Worker(task.group.name, python=task.group.python, timeout=task.timeout, environment=variables)
            processes.callback(worker.close)
            started(worker)
            return worker

        sample = tasks[len(tasks) // 2]
        plain = pool.submit(_plainly, begin(_on_jax(sample, sample.variables())), sample, how) if check else None
        worker = begin(_on_jax(task, {}))
        found = worker.ask("vectorise", seeds=[task.seed for task in tasks], **how)
        did = Told(task.group.name, found["width"], _note(found, task))
        if plain is not None:
            own, *siblings = worker.ask("check_seed", seed=sample.seed)
            did = replace(did, checked=sample.seed, times_floor=_compared(sample, own, siblings, plain.result()))
        told(did)
        yield from _in_order(worker, tasks, found, watch)


def _request(task: Task, rows: Split | None) -> dict[str, Any]:
    assert task.group.source is not None
    assert rows is not None
    source = {**asdict(task.group.source), "label": task.group.name}
    parts = {"train": [rows.train.x, rows.train.y], "held": [rows.held.x, rows.held.y]}
    return {"source": source, **parts, "batch_size": task.batch_size, "epochs": task.epochs}


def _on_jax(task: Task, variables: Mapping[str, str]) -> dict[str, str]:
    """These variables and the program's own, but for the backend of Keras, whose models are trained on JAX."""
    assert task.group.source is not None
    return {**variables, **dict(task.group.source.environment), KERAS_BACKEND: "jax"}


def _plainly(worker: Worker, task: Task, how: Mapping[str, Any]) -> Metrics:
    """The metrics of a plain run on few rows, in this process."""
    with worker:
        return dict(worker.ask("plain_run", seed=task.seed, on_few=True, **how)["metrics"])


def _in_order(
    worker: Worker, tasks: Sequence[Task], found: Mapping[str, Any], watch: Callable[[int, int], None]
) -> Iterator[tuple[Task, Outcome]]:
    """Train as many at once as there are lanes."""
    width, steps = found["width"], found["steps"]
    for start in range(0, len(tasks), width):
        begun, group = time.monotonic(), tasks[start : start + width]
        worker.on_progress = lambda done, total, before=steps * start: watch(before + done, steps * len(tasks))  # type: ignore[misc]
        values = worker.ask("run_seeds", seeds=[task.seed for task in group])
        each = (time.monotonic() - begun) / len(group)
        for task, metrics in zip(group, values, strict=True):
            yield task, Outcome(task.seed, metrics, "", each, found["versions"])


def _note(found: Mapping[str, Any], task: Task) -> str:
    """What is to be said of a Keras model that is trained on JAX though it is written for another backend."""
    assert task.group.source is not None
    usual = os.environ.get(KERAS_BACKEND, found["default_backend"])
    backend = dict(task.group.source.environment).get(KERAS_BACKEND, usual)
    if found["framework"] != "keras" or backend == "jax":
        return ""
    return (
        f"{task.group.name}: trained on Keras's JAX backend, not on {backend}, where a seed gives other initial weights, "
        "of the same distribution, and other values"
    )


def _compared(task: Task, own: Metrics, siblings: Sequence[Metrics], alone: Metrics) -> float:
    """How far the checked seed is from its plain run; raises NotVectorisable if farther than rounding explains."""
    name = task.group.name
    if set(own) != set(alone):
        raise NotVectorisable(
            f"{name}: a plain run shows {', '.join(sorted(alone))}, one among others {', '.join(sorted(own))}"
        )
    distances = {metric: _distance(own[metric], alone[metric], [s[metric] for s in siblings]) for metric in own}
    worst = max(distances, key=lambda metric: distances[metric])
    if distances[worst] >= ROUNDING:
        raise NotVectorisable(
            f"{name}: its values would not be those of plain runs. On the same few rows seed {task.seed} has {worst} "
            f"{alone[worst]:.9g} alone and {own[worst]:.9g} among others, {distances[worst]:.3g} times what rounding explains"
        )
    return distances[worst]


def _distance(own: float, alone: float, siblings: Sequence[float]) -> float:
    """How far two values are apart, in root mean squares of how far the ±1-ulp siblings are, at least one ulp of float32."""
    if own == alone or (math.isnan(own) and math.isnan(alone)):
        return 0.0
    if not math.isfinite(own) or not math.isfinite(alone):
        return math.inf
    spread = math.sqrt(sum((sibling - own) ** 2 for sibling in siblings) / len(siblings))
    return abs(own - alone) / max(spread, float(np.spacing(np.float32(abs(own)))))
