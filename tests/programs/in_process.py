"""A whole match of two programs in this very process: both in TensorFlow, so that it starts once for a whole test file."""

import random
from types import SimpleNamespace

import numpy as np

from samestep import errors
from samestep.data import Dataset
from samestep.frameworks import _randomness, _rows, adapter_for, seed_frameworks
from samestep.matching.aligning import align
from samestep.matching.match import _Match, _Task
from samestep.matching.sides import Sides
from samestep.worker.answers import Session
from samestep.worker.loading import fit_dtype

SEED = 3


class InProcess:
    """Answers as samestep.worker.parent.Worker does, for the program that build() returns."""

    def __init__(self, build, x, y, label="program"):
        self.label, self.on_progress = label, lambda done, total: None
        self.session = Session(lambda done, total: self.on_progress(done, total))
        random.seed(SEED)
        np.random.seed(SEED)
        built = build()
        seed_frameworks(SEED)
        adapter = adapter_for(built)
        self.session.hold(adapter, adapter.load(built, fit_dtype(_rows.take(x, slice(2)), np.float32, True)), x, y)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def ask(self, do, **arguments):
        self.send(do, **arguments)
        return self.receive()

    def send(self, do, **arguments):
        self.answer = self.session.answer({"do": do, "with": arguments})

    def receive(self):
        if "error" in self.answer:
            raise getattr(errors, self.answer["error"]["kind"])(self.answer["error"]["message"])
        return self.answer["answer"]


class NoDouble:
    """In the place of a program in float64, which would have to be alone in its process."""

    def receive(self):
        raise errors.ProgramError("the frameworks of this process compute in float32")

    def __exit__(self, *_):
        return None


class Task(_Task):
    """The task of a match whose sides are functions that return programs."""

    def start(self, side, double=False):
        if double:
            return NoDouble()
        worker = InProcess(self.sources[side].build, self.dataset.x, self.dataset.y, ("left", "right")[side])
        worker.answer = {"answer": None}
        return worker


def compare(left, right, data, *, batch_size=16, steps=12):
    """The result of a match of two programs, each given as the function that builds it; data: (x, y)."""
    sources = tuple(SimpleNamespace(label=build.__name__, build=build) for build in (left, right))
    per_epoch = -(-len(data[0]) // batch_size)
    shown = {"explain": False, "timeout": 60.0, "progress": lambda doing, fraction: None}
    task = Task(sources, (None, None), Dataset("test", *data), batch_size, per_epoch, steps, SEED, False, **shown)
    try:
        return _Match(task, (task.start(0), task.start(1))).run()
    finally:
        _randomness.deactivate()  # a worker would end with its match


def first_difference(result):
    """(stage, name) of the first difference, or None."""
    found = result.first_difference
    return found and (found.stage, found.name)


KEPT = {}
"""By the function that builds it, and the data: a program that is put on the left again and again, and its start."""


def kept(build):
    """The function, marked: on the left of `stage_apart` its program is built and compiled once, for all that it meets."""
    build.kept = True
    return build


def _at_its_start(build, data):
    if not getattr(build, "kept", False):
        return InProcess(build, *data)
    if (build, id(data)) not in KEPT:
        worker = InProcess(build, *data)
        start = worker.ask("state")
        del start["generators"]  # Keras's global one has another name each time; a kept program draws nothing
        KEPT[build, id(data)] = worker, start, data
    worker, start, _ = KEPT[build, id(data)]
    worker.ask("state", values=start)
    return worker


def stage_apart(left, right, data, *, steps=(0, 3), batch_size=16, tolerance=1e-4):
    """The first stage in which two programs differ by more than a fixed tolerance, or None: much cheaper than `compare`.

    Looked at are the states after these numbers of the left program's own training steps.
    """
    workers = [_at_its_start(left, data), InProcess(right, *data)]
    described = [worker.ask("describe") for worker in workers]
    aligned = [align(*(side[group] for side in described)) for group in ("parameters", "buffers")]
    if not all(alignment.complete for alignment in aligned):
        return "alignment"
    sides = Sides(*workers, tuple(described), *aligned, workers[0].ask("settings")["learning_rate"]["value"])
    if not _near(*(w.ask("batches", batch_size=batch_size, epochs=2)["batches"] for w in workers), 0.0):
        return "data"
    for step in steps:
        if step:
            workers[0].ask("train", batch_size=batch_size, steps=step)
        found = _stage_apart_here(sides, workers, data, batch_size, tolerance)
        if found:
            return found
    rates = [worker.ask("rates", steps=list(range(9))) for worker in workers]
    return None if _near(*rates, tolerance) else "schedule"


def _stage_apart_here(sides, workers, data, batch_size, tolerance):
    state = workers[0].ask("state")
    workers[1].ask("state", values=sides.to_right(state))
    x, y = (_rows.take(rows, slice(batch_size)) for rows in (workers[0].session.x, workers[0].session.y))
    for training in (True, False):
        if not _near(*(w.ask("forward", x=x, training=training)["outputs"] for w in workers), tolerance):
            return "forward"
    passed = [worker.ask("gradients", x=x, y=y) for worker in workers]
    if not _near(passed[0]["loss"], passed[1]["loss"], tolerance):
        return "loss"
    given = [passed[0]["gradients"], sides.parameters.to_right(passed[0]["gradients"])]
    if not _near(given[1], passed[1]["gradients"], tolerance):
        return "gradients"
    updated = [w.ask("update", gradients=g, x=x, y=y) for w, g in zip(workers, given, strict=True)]
    stepped = [w.ask("step", x=x, y=y) for w in workers]
    for stage, after in (("update", updated), ("step", stepped)):
        for group in ("parameters", "slots", "buffers") if sides.slots_pair() else ("parameters", "buffers"):
            if not _near(
                sides.to_right(after[0])[group],
                {n: after[1][group][n] for n in sides.to_right(after[0])[group]},
                tolerance,
            ):
                return {"buffers": "buffers", "slots": "slots"}.get(group, stage)
    return None if _near(passed[0]["metrics"], passed[1]["metrics"], tolerance) else "metrics"


def _near(one, other, tolerance):
    """Whether two trees of arrays agree, each array relative to its largest element."""
    if isinstance(one, dict):
        names = one if one.keys() == other.keys() else other  # metrics may have other names
        return len(one) == len(other) and all(
            _near(one[a], other[b], tolerance) for a, b in zip(one, names, strict=True)
        )
    if isinstance(one, list) and one and isinstance(one[0], list):
        return one == other
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    size = np.max(np.abs(one), initial=0.0)
    return one.shape == other.shape and bool(
        np.all((np.abs(one - other) <= tolerance * size) | (np.isnan(one) & np.isnan(other)))
    )
