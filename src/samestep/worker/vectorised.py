"""Plain runs of many seeds in one compiled computation, in the child process: what is the same for all frameworks.

Runs on Python 3.7 with NumPy only; a framework's own part is its `frameworks/_vectorised_….py`.
"""

from __future__ import annotations

import importlib
import json
import os
import random
from typing import Any, Callable

import numpy as np

from samestep.errors import NotVectorisable
from samestep.frameworks import _rows, adapter_for
from samestep.worker.loading import call, explained, fit_dtype, prepared, run_program, seed_loaded, wanted
from samestep.worker.plain import FEW_EPOCHS, few, versions

OWN_PARTS = {
    "samestep.frameworks.keras": "samestep.frameworks._vectorised_keras",
    "samestep.frameworks.jax": "samestep.frameworks._vectorised_jax",
    "samestep.frameworks.torch": "samestep.frameworks._vectorised_torch",
}
"""By the adapter of what build returns."""
SIBLINGS = 4
"""Lanes beside a checked seed whose initial parameters are moved by one unit in the last place."""


class Vectorised:
    """One program's trainings, loaded once and run for group after group of seeds."""

    def __init__(
        self, source: dict[str, Any], seeds: list[int], train: Any, held: Any, batch_size: int, epochs: int
    ) -> None:
        self.label, self.first = source["label"], seeds[0]
        module, build = _run_without_drawing(source, seeds[0])
        generators = _generators()
        train, held = prepared(module, self.label, *train), prepared(module, self.label, *held)
        if _generators() != generators:
            raise NotVectorisable("its prepare() draws random numbers, for each seed others")

        def make(seed: int, told: Any = None) -> Any:
            seed_loaded(seed)
            with explained(self.label, "{}()".format(source["function"])):
                return call(build, seed if told is None else told, train[0])

        built = make(seeds[0])
        part = _own_part(built)
        dtype = np.dtype(part.dtype_of(built))
        train, held = ((fit_dtype(x, dtype, True), fit_dtype(y, dtype, False)) for x, y in (train, held))
        self.rows, self.batch_size, self.epochs = _rows.count(train[0]), batch_size, epochs
        self.steps = epochs * -(-self.rows // batch_size)
        with explained(self.label, "training many seeds at once"):
            self.trainings = part.Trainings(
                built, make, seeds, train, held, batch_size, names_seed=bool(wanted(build, seed=0))
            )

    def described(self) -> dict[str, Any]:
        """How many seeds are trained at once, of what, and for how many steps."""
        return {
            "width": self.trainings.width,
            "framework": self.trainings.framework,
            "default_backend": _keras_backend_by_default(),
            "rows_checked": few(self.rows, self.batch_size),
            "steps": self.steps,
            "versions": versions(),
        }

    def run(self, seeds: list[int], watch: Callable[[int, int], None]) -> list[dict[str, float]]:
        """{metric: value} of each seed, as many at once as there are lanes; watch(done, total) counts steps of all seeds."""
        width = self.trainings.width
        found, done, total = [], 0, self.steps * len(seeds)

        def add(steps: int) -> None:
            nonlocal done
            done += steps * len(group)
            watch(done, total)

        with explained(self.label, "training many seeds at once"):
            for start in range(0, len(seeds), width):
                group = seeds[start : start + width]
                found += self.trainings.run(self._lanes(group), self.epochs, add)[: len(group)]
        return found

    def checked(self, seed: int, watch: Callable[[int, int], None]) -> list[dict[str, float]]:
        """{metric: value} of the seed, on few rows, and of its siblings; beside another seed, as it will be trained."""
        rng, rows = np.random.default_rng(seed), few(self.rows, self.batch_size)
        beside = [self.first] if self.trainings.width > 1 else []
        at_once = self.trainings.width - len(beside)
        found: list[dict[str, float]] = []

        def moved(lane: int, array: Any) -> Any:
            if not 0 < len(found) + lane - len(beside) <= SIBLINGS:
                return array
            away = np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
            return np.nextafter(array, away)

        def say(steps: int) -> None:
            watch(min(len(found), SIBLINGS), 1 + SIBLINGS)

        with explained(self.label, "checking seed {}".format(seed)):
            while len(found) <= SIBLINGS:
                lanes = self._lanes(beside + [seed] * min(at_once, 1 + SIBLINGS))
                found.extend(self.trainings.run(lanes, min(self.epochs, FEW_EPOCHS), say, rows, moved)[len(beside) :])
        return found[: 1 + SIBLINGS]

    def _lanes(self, seeds: list[int]) -> list[int]:
        """These seeds, and the last one again where they are too few: what is compiled has one width."""
        return seeds + seeds[-1:] * int(self.trainings.width - len(seeds))


def _own_part(built: Any) -> Any:
    if isinstance(built, (int, float, dict)) or getattr(built, "shape", None) == ():
        raise NotVectorisable("build() is a function of a seed and no program")
    adapter = adapter_for(built)
    if adapter.__name__ not in OWN_PARTS:
        name = adapter.__name__.rpartition(".")[2]
        raise NotVectorisable("a program of {} trains one seed at a time".format(name))
    return importlib.import_module(OWN_PARTS[adapter.__name__])


def _run_without_drawing(source: dict[str, Any], seed: int) -> Any:
    """The program's module and build function; raises NotVectorisable if its file draws random numbers when it is run.

    Importing some libraries draws, so a file is run again when it has drawn, with all that it imports in place.
    """
    module, build = run_program(source, seed)
    before = _seeded_generators(seed)
    if _generators() != before and source.get("file"):
        module, build = run_program(source, seed)
        if _generators() != before:
            raise NotVectorisable("its file draws random numbers when it is run, for each seed others")
    return module, build


def _seeded_generators(seed: int) -> Any:
    numpy: Any = np.random.RandomState(seed % 2**32).get_state()
    return random.Random(seed).getstate(), [str(part) for part in (numpy[1].tobytes(), *numpy[2:])]


def _generators() -> Any:
    numpy: Any = np.random.get_state()
    return random.getstate(), [str(part) for part in (numpy[1].tobytes(), *numpy[2:])]


def _keras_backend_by_default() -> str:
    """The backend that Keras would have without KERAS_BACKEND: ~/.keras/keras.json, or TensorFlow."""
    path = os.path.join(os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras")), "keras.json")
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("backend", "tensorflow"))
    except (OSError, ValueError):
        return "tensorflow"
