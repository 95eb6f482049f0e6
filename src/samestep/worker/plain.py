"""A plain run of a seed: one training as its author would run it, unobserved. It is what `samestep repeat` repeats.

Defined here, and in words in docs/explanation/plain-run.md: whatever computes values of seeds in another way has to give
what this gives. Runs on Python 3.7 with NumPy only.
"""

from __future__ import annotations

import numbers
import sys
from typing import Any, Callable

import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import FRAMEWORKS, _keras_fit, _loops, _rows, adapter_for
from samestep.worker.loading import call, explained, fit_dtype, prepared, run_program, seed_all, seed_loaded

Rows = Any
Part = Any
"""A pair (x, y) of rows."""
Watch = Callable[[int, int], None]

DEFINITION = 1
"""Goes up when a plain run of the same program and seed would give another value than before."""
FEW_EPOCHS = 2
VALUE = "value"
"""The metric's name where a function of a seed returns a bare number."""
KERAS = tuple("samestep.frameworks." + name for name in ("keras", "keras2", "tf_keras"))
"""Adapters of models that bring their own training loop, fit."""


def run(
    source: dict[str, Any],
    seed: int,
    train: Part,
    held: Part,
    batch_size: int,
    epochs: int,
    watch: Watch,
    on_few: bool = False,
) -> dict[str, Any]:
    """Train on the rows `train`, then evaluate on the rows `held`; returns {"metrics": …, "versions": …}.

    metrics: {name: number}: loss and metrics of the last epoch as its loop shows them, and with "val_" before their names
    those of the held rows after it. Where build returns a number, or a dict of numbers, it is a function of a seed and they
    are its metrics. Only a fresh process makes a plain run of it, one for each seed. on_few: on few rows of each part, by
    which another way of computing the same is checked.
    """
    label = source["label"]
    module, build = run_program(source, seed)
    train, held = prepared(module, label, *train), prepared(module, label, *held)
    if on_few:
        rows, epochs = few(_rows.count(train[0]), batch_size), min(epochs, FEW_EPOCHS)
        train, held = ([_rows.take(part, slice(rows)) for part in parts] for parts in (train, held))
    (seed_loaded if on_few else seed_all)(seed)
    with explained(label, "{}()".format(source["function"])):
        built = call(build, seed, train[0])
        metrics = _as_metrics(built)
        adapter = adapter_for(built) if metrics is None else None
    if metrics is None:
        with explained(label, "a plain run with seed {}".format(seed)):
            metrics = _trained(adapter, built, seed, train, held, batch_size, epochs, watch)
    return {"metrics": metrics, "versions": versions()}


def few(rows: int, batch_size: int) -> int:
    """The first so many of the rows make two batches: a full one, and one as the last of all rows.

    Trained on them for two epochs at most: in some networks each step makes ±1 ulp several times larger, and after ten of them
    nothing could be told from rounding.
    """
    return min(rows, batch_size + (rows % batch_size or batch_size))


def versions() -> dict[str, str]:
    """Of Python, NumPy and the frameworks that have been imported."""
    names = ["numpy", *dict.fromkeys(framework.package for framework in FRAMEWORKS), "optax", "flax", "equinox"]
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in names}
    python = "{}.{}.{}".format(*sys.version_info[:3])
    return dict({"python": python}, **{name: str(version) for name, version in found.items() if version})


def _as_metrics(built: Any) -> dict[str, float] | None:
    """What a function of a seed returned, or None where it is no number and no dict of numbers."""
    found = built if isinstance(built, dict) and built else {VALUE: built}
    plain = {str(name): _number(value) for name, value in found.items()}
    return None if None in plain.values() else plain  # type: ignore[return-value]


def _number(value: Any) -> float | None:
    """A number, which may be an array or tensor of one element without axes."""
    if isinstance(value, numbers.Real) or getattr(value, "shape", None) == ():
        return float(value)
    return None


def _trained(
    adapter: Any, built: Any, seed: int, train: Part, held: Part, batch_size: int, epochs: int, watch: Watch
) -> dict[str, float]:
    """Train what build returned and evaluate it."""
    if adapter.__name__ in KERAS:
        program = built if isinstance(built, adapter.Program) else adapter.Program(built)
        dtype = program.keras.backend.floatx()
        (x, y), held = _fitted(train, dtype), _fitted(held, dtype)
        last = _keras_fit.fit_plainly(program, x, y, batch_size, epochs, watch)
    else:
        program = adapter.load(built, fit_dtype(_rows.take(train[0], slice(2)), np.float32, True))
        dtypes = [entry["dtype"] for entry in adapter.describe(program)["parameters"]]
        dtype = "float64" if "float64" in dtypes else "float32"
        (x, y), held = _fitted(train, dtype), _fitted(held, dtype)
        last = _loops.train_shuffled(adapter, program, x, y, batch_size, epochs, seed, watch)
    if not last:
        raise ProgramError("it trained no epoch: its batches(x, y, batch_size, epoch) gave none.")
    measured = adapter.evaluate(program, *held, batch_size)
    return _rows.with_validation(last, {name: float(value) for name, value in measured.items()})


def _fitted(rows: Part, dtype: str) -> Part:
    """The rows in the precision in which the program computes."""
    return fit_dtype(rows[0], np.dtype(dtype), True), fit_dtype(rows[1], np.dtype(dtype), False)
