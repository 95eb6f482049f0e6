"""The training and evaluation loops of frameworks that have none of their own. No framework is imported.

Epoch figures are means over rows, so that a partial last batch counts by its size.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np

from samestep.frameworks import _randomness, _rows

OneBatch = Callable[[Any, Any], Any]
"""From x and y of one batch to (loss, {metric: value})."""


def in_order(x: Any, y: Any, batch_size: int, epoch: int) -> Iterator[tuple[Any, Any]]:
    """Batches in the order of the rows; a partial last batch is kept."""
    for start in range(0, _rows.count(x), batch_size):
        part = slice(start, start + batch_size)
        yield _rows.take(x, part), _rows.take(y, part)


def show_batches(own: Any, x: Any, y: Any, batch_size: int, epochs: int, see: Callable[..., None]) -> None:
    """Call see(epoch, x, y) for each batch of the program's own pipeline, or of the rows in order."""
    for epoch in range(epochs):
        for x_batch, y_batch in (own or in_order)(x, y, batch_size, epoch):
            see(epoch, x_batch, y_batch)


def train_loop(
    one_step: OneBatch,
    own: Any,
    x: Any,
    y: Any,
    batch_size: int,
    epochs: int,
    steps: int | None,
    watch: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train; one_step(x, y) updates the program and returns (loss, {metric: value}).

    Returns ``running_loss``, float64 (steps,): after each step the mean loss over the rows of its epoch so far, as Keras
    logs it; and ``epochs``, the means of loss and metrics for each epoch.
    """
    total = steps or epochs * -(-_rows.count(x) // batch_size)
    running, rows_of_epochs, done = [], [], 0
    for epoch in range(epochs if steps is None else steps):
        means = _Means()
        for x_batch, y_batch in (own or in_order)(x, y, batch_size, epoch):
            loss, metrics = one_step(x_batch, y_batch)
            _randomness.end()  # what the next batch draws is the pipeline's affair
            means.add(_rows.count(x_batch), dict(metrics, loss=loss))
            running.append(means.value("loss"))
            done += 1
            if done % 50 == 0:
                watch(done, total)
            if done == steps:
                break
        rows_of_epochs.append(means.values())
        if done == steps or not means.rows:
            break
    return {"running_loss": np.array(running, np.float64), "epochs": rows_of_epochs}


def train_shuffled(
    adapter: Any,
    program: Any,
    x: Any,
    y: Any,
    batch_size: int,
    epochs: int,
    seed: int,
    watch: Callable[[int, int], None],
) -> dict[str, float]:
    """Train by the adapter's loop on the rows in a new order each epoch, drawn by NumPy's default_rng(seed).

    A pipeline of the program's own is left to itself. Returns the means of the last epoch.
    """
    if getattr(program, "batches", None) is not None:
        return (adapter.train(program, x, y, batch_size, epochs, None, watch)["epochs"] or [{}])[-1]
    rng, per_epoch = np.random.default_rng(seed), -(-_rows.count(x) // batch_size)
    last: dict[str, float] = {}
    for epoch in range(epochs):

        def watch_all(done: int, of_epoch: int, before: int = epoch * per_epoch) -> None:
            watch(before + done, epochs * per_epoch)

        order = rng.permutation(_rows.count(x))
        last = adapter.train(program, _rows.take(x, order), _rows.take(y, order), batch_size, 1, None, watch_all)[
            "epochs"
        ][-1]
        watch_all(per_epoch, per_epoch)
    return last


def evaluate_loop(one_batch: OneBatch, x: Any, y: Any, batch_size: int) -> dict[str, float]:
    """Means over rows of what one_batch(x, y) returns, (loss, {metric: value})."""
    means = _Means()
    for x_batch, y_batch in in_order(x, y, batch_size, 0):
        _randomness.begin(_randomness.INFERENCE)
        loss, metrics = one_batch(x_batch, y_batch)
        means.add(_rows.count(x_batch), dict(metrics, loss=loss))
    return means.values()


class _Means:
    def __init__(self) -> None:
        self.rows = 0
        self.sums: dict[str, float] = {}

    def add(self, rows: int, values: dict[str, Any]) -> None:
        self.rows += rows
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + rows * float(np.mean(value))

    def value(self, name: str) -> float:
        return self.sums[name] / self.rows

    def values(self) -> dict[str, float]:
        return {name: self.value(name) for name in sorted(self.sums)}
