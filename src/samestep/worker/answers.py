"""What the child answers: one method a request, each a thin call of the program's adapter.

Every observation leaves the program as it found it: state is read before and written back after.
Runs on Python 3.7 with NumPy only.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import Any, Callable

import numpy as np

from samestep import errors
from samestep.frameworks import FUNCTIONS, _randomness, _rows, end_pipelines_at_once
from samestep.worker import plain
from samestep.worker.loading import Rows, explained, fit_dtype, load
from samestep.worker.vectorised import Vectorised

Answer = Any
"""A tree of dicts, lists, numbers and arrays, as a message can hold it."""


class Session:
    """One loaded program and its data."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress
        self.label = "program"

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request: ``{"answer": …}`` or ``{"error": …}``; never raises."""
        self.label = request["with"].get("source", {}).get("label", self.label)
        try:
            with explained(self.label, request["do"]):
                return {"answer": getattr(self, "do_" + request["do"])(**request["with"])}
        except errors.SamestepError as error:
            return {"error": {"kind": type(error).__name__, "message": str(error)}}

    def do_load(self, source: dict[str, Any], seed: int, x: Rows, y: Rows, double: bool = False) -> Answer:
        """Run the program file: its prepare(x, y), if it has one, on the training data, then its build()."""
        _randomness.deactivate()  # initial weights are the program's own
        return self.hold(*load(source, seed, x, y, double))

    def hold(self, adapter: Any, program: Any, x: Rows, y: Rows) -> Answer:
        """Answer about this program from now on, with these rows in the precision of its parameters."""
        end_pipelines_at_once()
        self.adapter, self.program = adapter, program
        self.dtype = _float_dtype(adapter.describe(program)["parameters"])
        self.x, self.y = fit_dtype(x, self.dtype, True), fit_dtype(y, self.dtype, False)
        return {"rows": _rows.count(self.x)}

    def do_adapter(self) -> Answer:
        """Which module its adapter is, what its functions take, and what it says that it cannot observe."""
        functions = {name: list(inspect.signature(getattr(self.adapter, name)).parameters) for name in FUNCTIONS}
        return {"module": self.adapter.__name__, "functions": functions, "gaps": getattr(self.adapter, "GAPS", None)}

    def do_describe(self) -> Answer:
        described = self.adapter.describe(self.program)
        described["versions"]["python"] = "{}.{}.{}".format(*sys.version_info[:3])
        described["versions"]["numpy"] = np.__version__
        return described

    def do_rows(self, start: int, stop: int | None) -> Answer:
        return self._part(slice(start, stop))

    def do_state(self, values: dict[str, Any] | None = None) -> Answer:
        return self.adapter.state(self.program, values)

    def do_forward(self, x: Rows, training: bool, activations: bool = True) -> Answer:
        """Outputs and, unless they are not wanted, since they are many, activations of one pass."""
        _randomness.begin(_randomness.INFERENCE)  # in training mode the adapter tells the step
        seen = self._observing("forward", x, self.adapter.forward, self.program, x, training)
        return seen if activations else {"outputs": seen["outputs"]}

    def do_randomness(self, seed: int | None, plan: Any = None, inference: Any = None) -> Answer:
        """Draw from the shared stream of this seed from now on, by these plans; without a seed from its own generators."""
        if seed is None:
            _randomness.deactivate()
        else:
            _randomness.activate(seed, plan, inference)

    def do_draws(self, x: Rows, training: bool = True) -> Answer:
        """The random draws of a forward pass on these rows, in order."""
        with _randomness.record() as draws:
            self.do_forward(x, training)
        return draws

    def do_gradients(self, x: Rows, y: Rows) -> Answer:
        return self._observing("a training step", x, self.adapter.gradients, self.program, x, y)

    def do_update(self, gradients: dict[str, Rows], x: Rows, y: Rows) -> Answer:
        """Apply given gradients; returns the state after it, and puts the state before it back."""

        def apply():
            self.adapter.update(self.program, gradients, x, y)
            return self.adapter.state(self.program)

        return self._observing("an optimizer update", x, apply)

    def do_settings(self, values: dict[str, float] | None = None) -> Answer:
        return self.adapter.settings(self.program, values)

    def do_rates(self, steps: list[int]) -> Answer:
        """The learning rate that the program would use at each of these steps; NaN where unknown."""
        return self._observing("reading the learning rate", None, self._rates, steps)

    def do_step(self, x: Rows, y: Rows) -> Answer:
        """One training step by the program's own loop; returns the state after it, and restores."""

        def step():
            self.adapter.train(self.program, x, y, batch_size=_rows.count(x), epochs=1, steps=1, watch=_ignore)
            return self.adapter.state(self.program)

        return self._observing("a training step", x, step)

    def do_train(
        self, batch_size: int, epochs: int = 1, steps: int | None = None, start: int = 0, stop: int | None = None
    ) -> Answer:
        """Train for real, by the program's own loop; the program keeps what it learned."""
        rows = self._part(slice(start, stop))
        how = {"batch_size": batch_size, "epochs": epochs, "steps": steps, "watch": self.progress}
        try:
            with explained(self.label, "training on x {}".format(_shapes(rows["x"]))):
                return self.adapter.train(self.program, rows["x"], rows["y"], **how)
        finally:
            _randomness.end()

    def do_plain_run(
        self,
        source: dict[str, Any],
        seed: int,
        train: Any,
        held: Any,
        batch_size: int,
        epochs: int,
        on_few: bool = False,
    ) -> Answer:
        """The values of a plain run of this seed; the first request of its process, and the last."""
        return plain.run(source, seed, train, held, batch_size, epochs, self.progress, on_few)

    def do_vectorise(
        self, source: dict[str, Any], seeds: list[int], train: Any, held: Any, batch_size: int, epochs: int
    ) -> Answer:
        """Get ready to train many seeds in one computation; the answer says how many at once."""
        self.vectorised = Vectorised(source, seeds, train, held, batch_size, epochs)
        return self.vectorised.described()

    def do_run_seeds(self, seeds: list[int]) -> Answer:
        """The metrics of plain runs of these seeds, computed together."""
        return self.vectorised.run(seeds, self.progress)

    def do_check_seed(self, seed: int) -> Answer:
        """The metrics of this seed on few rows, computed together with those of its ±1-ulp siblings."""
        return self.vectorised.checked(seed, self.progress)

    def do_evaluate(self, rows: int, batch_size: int) -> Answer:
        part = self._part(slice(rows))
        return self._observing("evaluation", part["x"], self.adapter.evaluate, self.program, *part.values(), batch_size)

    def do_batches(
        self, batch_size: int, epochs: int, keep: int | None = None, axes: dict[str, list[int]] | None = None
    ) -> Answer:
        """Rows and digests of the batches that its own loop trains on; the arrays of batch `keep`, by name.

        axes: {name of an array: the order in which its axes are to be seen}.
        """
        with explained(self.label, "its own batches"):
            listed: list[Any] = []
            kept: dict[str, Rows] = {}

            def see(epoch, x, y):
                arrays = self._canonical(x, y, axes or {})
                if len(listed) == keep:
                    kept.update(arrays)
                listed.append([epoch, _rows.count(x), {name: _digest(array) for name, array in arrays.items()}])

            self.adapter.batches(self.program, self.x, self.y, batch_size, epochs, see)
        return {"batches": listed, "kept": kept}

    def _rates(self, steps):
        rates = []
        ahead = getattr(self.program, "ahead", 0)
        for step in steps:
            self.adapter.state(self.program, {"counters": {"step": step + ahead}})
            rates.append(self.adapter.settings(self.program).get("learning_rate", {}).get("value", float("nan")))
        return rates

    def _part(self, where):
        return {"x": _rows.take(self.x, where), "y": _rows.take(self.y, where)}

    def _observing(self, doing, x, function, *args):
        before = self.adapter.state(self.program)
        suffix = "" if x is None else " on x {}".format(_shapes(x))
        try:
            with explained(self.label, doing + suffix):
                return function(*args)
        finally:
            _randomness.end()
            self.adapter.state(self.program, before)

    def _canonical(self, x, y, axes):
        """A batch in the form in which two programs' batches are compared: content, not container."""
        inputs = {name: fit_dtype(np.asarray(array), self.dtype, True) for name, array in _rows.named("x", x).items()}
        arrays = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in inputs.items()}
        targets = {name: fit_dtype(np.asarray(array), self.dtype, False) for name, array in _rows.named("y", y).items()}
        arrays = {name: a.transpose(axes.get(name, range(a.ndim))) for name, a in dict(arrays, **targets).items()}
        return {name: _class_numbers(a) if name in targets else np.ascontiguousarray(a) for name, a in arrays.items()}


def _shapes(rows):
    """Shape and dtype of the rows, for a message."""
    return ", ".join(
        "{} {}".format(array.shape, array.dtype) if not isinstance(rows, dict) else "{} {}".format(name, array.shape)
        for name, array in _rows.named("x", rows).items()
    )


def _float_dtype(parameters):
    """The precision that floats of the data are given: that of the parameters."""
    return np.dtype(np.float64 if "float64" in [entry["dtype"] for entry in parameters] else np.float32)


def _class_numbers(y):
    """Labels as class numbers, whether they came as numbers, as a column of them or one-hot."""
    y = y.reshape(len(y), -1)
    if y.shape[1] > 1 and np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1):
        y = y.argmax(axis=1)
    if y.dtype.kind == "f" and np.all(y == np.floor(y)):
        y = y.astype(np.int64)
    return y.reshape(len(y), -1)


def _digest(array):
    head = "{} {}".format(array.dtype.str, array.shape[1:]).encode()
    return hashlib.blake2b(
        np.ascontiguousarray(array), digest_size=16, key=hashlib.blake2b(head, digest_size=16).digest()
    ).hexdigest()


def _ignore(done, total):
    pass
