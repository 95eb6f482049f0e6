"""The settings of every framework's optimizers as they come, found from what they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from samestep.explain.fixes.optimizers import CONSTRUCTORS
from samestep.explain.updates import identified
from samestep.worker.parent import Worker

PROGRAMS = "samestep.experiments.defaults"
FRAMEWORKS = ("keras", "tf_keras", "tensorflow1", "torch", "jax")
ALGORITHMS = ("SGD", "Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Adagrad", "Adadelta", "Lion")
NAMES: Mapping[str, Mapping[str, str]] = {
    "jax": {name: name.lower() for name in ALGORITHMS},
    "tensorflow1": {"Adadelta": "AdadeltaOptimizer"},
}
"""Classes whose names no fix needs."""
ABSENT = {
    "tf_keras": ("Lion",),
    "tensorflow1": ("AdamW", "Adamax", "Nadam", "RMSprop", "Lion"),  # its RMSProp has a required rate and no Keras form
    "torch": ("Lion",),
}
"""Algorithms that a framework does not have."""
SEED = 0


def class_of(framework: str, algorithm: str) -> str:
    """What a framework calls an algorithm's class or function."""
    return NAMES.get(framework, {}).get(algorithm) or CONSTRUCTORS[framework][2].get(algorithm, algorithm)


def defaults(framework: str, algorithms: Sequence[str] = ALGORITHMS) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """(algorithm, its settings, or None where no reference does as it does) of a framework's optimizers."""
    with Worker(framework) as worker:
        for algorithm in algorithms:
            if algorithm not in ABSENT.get(framework, ()):
                yield algorithm, _settings(worker, f"{framework}__{class_of(framework, algorithm)}")


def _settings(worker: Worker, function: str) -> Mapping[str, Any] | None:
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    source = {"label": function, "function": function, "file": None, "module": PROGRAMS, "environment": ()}
    worker.ask("load", source=source, seed=SEED, x=x, y=y)
    found, _ = identified(worker, worker.ask("state"), {"x": x, "y": y}, rng)
    return min(found, key=lambda fit: len(fit.settings)).settings if found else None
