"""What the adapters of Keras 2 and 3 share about fit: its options, epochs, logs, learning-rate schedulers.

Imports no framework. A `program` is any of their Programs, as far as they are alike: model, fit, batches, keras (the
library that the model is of), steps_per_epoch, first_rate.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _randomness, _rows
from samestep.frameworks._keras_optimizers import array

GIVEN_BY_SAMESTEP = ("x", "y", "batch_size", "epochs", "initial_epoch", "steps_per_epoch", "validation_split")


def check_options(options: Dict[str, Any], framework: str) -> None:
    """Raise ProgramError for options of fit that samestep itself gives, and for weights of rows that are no function."""
    taken = [name for name in GIVEN_BY_SAMESTEP if name in options]
    if taken:
        raise ProgramError(
            "{}.Program(model, fit={{…}}) names {}, which samestep gives to fit itself, by its own options and data.\n"
            "Leave it out; rows that are for validation are held back in prepare(x, y) and given as validation_data.".format(
                framework, ", ".join(taken)
            )
        )
    if "sample_weight" in options and not callable(options["sample_weight"]):
        raise ProgramError(
            "fit's sample_weight is an array; fit is also called on parts of the data, whose weights it cannot tell.\n"
            "Give a function of (x, y) that returns a weight for each row: fit={'sample_weight': lambda x, y: …}"
        )


def weights(options: Dict[str, Any], x: Any, y: Any) -> Dict[str, Any]:
    """What fit is told about the weights of these rows: class_weight, and sample_weight as an array (N,)."""
    found = {}
    if options.get("class_weight") is not None:
        found["class_weight"] = options["class_weight"]
    if options.get("sample_weight") is not None:
        found["sample_weight"] = _rows.each(np.asarray, options["sample_weight"](x, y))
    return found


def options(program: Any, weights: Dict[str, Any], callbacks: List[Any]) -> Dict[str, Any]:
    """What fit is called with beside the data: as its author calls it, with these weights and callbacks, and silent."""
    return dict(program.fit, **dict(weights, callbacks=callbacks, verbose=0))


def fit(program: Any, x: Any, y: Any, batch_size: int, epochs: range, options: Dict[str, Any]) -> None:
    """Call the model's fit for these epochs, on the rows or, epoch by epoch, on the program's own batches of them."""
    if program.batches is None:
        program.model.fit(x, y, batch_size=batch_size, epochs=epochs.stop, initial_epoch=epochs.start, **options)
    else:
        _fit_own_batches(program, x, y, batch_size, epochs, options)


def fit_plainly(
    program: Any, x: Any, y: Any, batch_size: int, epochs: int, watch: Callable[[int, int], None]
) -> Dict[str, float]:
    """Call fit as the author would, with Keras's own defaults, shuffling among them; returns the logs of the last epoch.

    Without those of rows for validation that fit itself was given.
    """
    watching = type("Watching", (Watching, program.keras.callbacks.Callback), {})()
    watching.watch_with(epochs * -(-_rows.count(x) // batch_size), watch)
    callbacks = [*program.own_fit.get("callbacks", ()), watching]
    options = dict(program.own_fit, **dict(weights(program.own_fit, x, y), callbacks=callbacks, verbose=0))
    fit(program, x, y, batch_size, range(epochs), options)
    return watching.last


def _fit_own_batches(program: Any, x: Any, y: Any, batch_size: int, epochs: range, options: Dict[str, Any]) -> None:
    """Fit epoch by epoch; shuffling is the pipeline's affair."""
    options = {name: value for name, value in options.items() if name != "shuffle"}
    for number, epoch in enumerate(epochs):
        stream = program.batches(x, y, batch_size, number)
        program.model.fit(stream, initial_epoch=epoch, epochs=epoch + 1, **options)
        if program.model.stop_training:
            return


def count_epoch(program: Any, x: Any, batch_size: int) -> None:
    """Note how many steps an epoch over these rows takes, if none over more has been seen."""
    program.steps_per_epoch = max(program.steps_per_epoch, -(-_rows.count(x) // batch_size))


def epoch_of(program: Any, updates: int) -> int:
    """The epoch that the step after so many updates belongs to: all the data is trained on before parts of it are."""
    return updates // int(program.steps_per_epoch)


def epochs_from(first: int, epochs: int, steps: Optional[int]) -> range:
    """The epochs to train, numbered on from the first; of a number of steps it is not known how many they take."""
    return range(first, first + (epochs if steps is None else max(epochs, steps)))


def name_of(loss: Any) -> str:
    """A loss or metric by its name, for a description."""
    return loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))


@contextlib.contextmanager
def attributes(owner: Any, **values: Any) -> Iterator[None]:
    """Other values of attributes for the time of the block; one that was the class's own is the class's again."""
    own = {name: name in vars(owner) for name in values}
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if own[name] or isinstance(getattr(type(owner), name, None), property):
                setattr(owner, name, value)
            else:
                delattr(owner, name)


def plain_logs(logs: Dict[str, Any]) -> Dict[str, float]:
    """Logs as numbers; a metric of several numbers by their mean."""
    return {name: float(np.mean(np.asarray(value))) for name, value in flat(logs).items()}


def flat(logs: Dict[str, Any]) -> Dict[str, Any]:
    """Logs without nesting, as Keras shows them."""
    nested = [flat(value) if isinstance(value, dict) else {name: value} for name, value in logs.items()]
    return {name: value for entry in nested for name, value in entry.items()}


def schedulers(program: Any) -> List[Any]:
    """The learning-rate schedulers among fit's callbacks."""
    kind = program.keras.callbacks.LearningRateScheduler
    return [callback for callback in program.fit.get("callbacks", ()) if isinstance(callback, kind)]


def rate_after(program: Any, epochs: int) -> float:
    """The learning rate once the schedulers have begun this many epochs, each from the rate of the one before."""
    rate, dtype = program.first_rate, program.keras.backend.floatx()
    for epoch in range(epochs):
        for scheduler in schedulers(program):
            try:
                rate = float(np.asarray(scheduler.schedule(epoch, rate)).astype(dtype))
            except TypeError:  # a schedule of the epoch alone, as Keras allows too
                rate = float(np.asarray(scheduler.schedule(epoch)).astype(dtype))
    return rate


def set_rate_after(program: Any, epochs: int) -> None:
    """Give the optimizer that learning rate, if there is a schedule."""
    if schedulers(program):
        program.model.optimizer.learning_rate = rate_after(program, epochs)


class Numbering:
    """A callback, mixed into a Keras's own Callback: tells when a forward pass begins, and by how many updates it follows."""

    updates = 0

    def on_train_begin(self, logs: Optional[Dict[str, Any]] = None) -> None:
        """Note how many updates have been done."""
        if _randomness.stream.seed is not None:
            self.updates = self.updates_done()

    def updates_done(self) -> int:
        """The optimizer's count, which on some backends is brought up to date only between epochs."""
        return int(array(self.model.optimizer.iterations))  # type: ignore[attr-defined]

    def on_train_batch_begin(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """A pass in training mode begins."""
        _randomness.begin(self.updates)
        self.updates += 1

    def on_test_batch_begin(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """A pass in inference mode begins."""
        _randomness.begin(_randomness.INFERENCE)

    def on_test_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """It has ended."""
        _randomness.end()


class Observing(Numbering):
    """One that also notes the running loss after each step, and stops after a number of steps."""

    def watch_with(self, steps: Optional[int], total: int, watch: Callable[[int, int], None]) -> Any:
        """Set it up; total: the steps that training takes if `steps` is None."""
        self.steps, self.total, self.watch = steps, steps or total, watch
        self.running_loss: List[float] = []
        self.epochs: List[Dict[str, float]] = []
        return self

    def on_train_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Note the loss that Keras shows after this batch."""
        _randomness.end()
        self.running_loss.append(self.loss_now(logs or {}))
        done = len(self.running_loss)
        if done % 50 == 0:
            self.watch(done, self.total)
        if done == self.steps:
            self.model.stop_training = True  # type: ignore[attr-defined]

    def loss_now(self, logs: Dict[str, Any]) -> float:
        """The mean loss of the epoch so far."""
        return float(np.asarray(logs.get("loss", np.nan)))

    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Note what Keras shows for the epoch, but for its validation."""
        self.epochs.append(_training_logs(logs))


class Watching:
    """A callback, mixed into a Keras's own Callback: tells now and then how far training is, and keeps each epoch's logs."""

    def watch_with(self, total: int, watch: Callable[[int, int], None]) -> None:
        """Set it up; total: the steps that training takes."""
        self.total, self.watch, self.begun, self.told = total, watch, 0, time.monotonic()
        self.last: Dict[str, float] = {}

    def on_train_batch_begin(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Another batch; told at most once a second."""
        if time.monotonic() - self.told > 1.0:
            self.told = time.monotonic()
            self.watch(self.begun, self.total)
        self.begun += 1

    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Keep what Keras shows for the epoch, but for its validation."""
        self.last = _training_logs(logs)


def _training_logs(logs: Optional[Dict[str, Any]]) -> Dict[str, float]:
    return plain_logs({name: value for name, value in (logs or {}).items() if not name.startswith("val_")})
