"""Recording from within a program: for loops that no hook sees, notebooks, and those who want to say what is recorded."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from samestep.recording import METRICS_VARIABLE
from samestep.recording.generators import generators
from samestep.recording.recorder import Recorder
from samestep.runs.writing import RunWriter


class Recording:
    """A run that this process writes, into a new folder.

    ::

        with samestep.Recording("runs/one") as run:
            model.fit(x, y, callbacks=[run.keras()])      # Keras
            with run.torch(model, optimizer): ...         # PyTorch
            run.jax(params, gradients, loss)              # JAX, under jit and scan too
            run.log(step=7, loss=0.3)                     # anything

    digest, every, on_error: as for `samestep.record`. Raises UsageError where the folder exists or cannot be made.
    """

    def __init__(self, folder: str | Path, *, digest: str = "", every: int = 0, on_error: str = "continue") -> None:
        self._writer = RunWriter(folder, command=sys.argv, script=sys.argv[0])
        self._recorder = Recorder(self._writer.take, digest, every, on_error)
        self._recorder.watch_generators(generators())
        self._recorder.begin()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close(0 if kind is None else 1)

    @property
    def folder(self) -> Path:
        """Where the run is."""
        return self._writer.folder

    def log(self, **scalars: float) -> None:
        """Note scalars by name. With step=…, as a row of their own; without, with the next update.

        Under `samestep repeat` they are also metrics of the run: of each name the last one.
        """
        self._recorder.log(**scalars)
        if METRICS_VARIABLE in os.environ:
            with open(os.environ[METRICS_VARIABLE], "a", encoding="utf-8") as file:
                file.writelines(f"{name}: {float(value)!r}\n" for name, value in scalars.items() if name != "step")

    def keras(self) -> Any:
        """A callback for `fit` of the Keras, or tf_keras, that has been imported."""
        keras = sys.modules.get("keras") or sys.modules.get("tf_keras") or importlib.import_module("keras")
        return _hooks("keras").callback(keras, self._recorder)

    def torch(self, model: Any, optimizer: Any) -> AbstractContextManager[None]:
        """Record the optimizer's steps for the time of a `with` block."""
        watching: AbstractContextManager[None] = _hooks("torch").watching(
            sys.modules["torch"], self._recorder, model, optimizer
        )
        return watching

    def jax(self, params: Any, gradients: Any = None, loss: Any = None, batch: Sequence[Any] = ()) -> None:
        """Record one update: trees of arrays, traced or not; params after it. batch: what it was made from."""
        _hooks("jax").note(sys.modules["jax"], self._recorder, params, gradients, loss, batch)

    def close(self, exit_status: int = 0) -> None:
        """Write what is left; the run is complete unless exit_status says otherwise."""
        if "jax" in sys.modules:
            sys.modules["jax"].effects_barrier()
        self._recorder.end(exit_status)
        self._writer.close(exit_status, self._recorder.broken)


def _hooks(framework: str) -> Any:
    """The file that knows how the framework is recorded; it imports none."""
    return importlib.import_module("samestep.frameworks._recording_" + framework)
