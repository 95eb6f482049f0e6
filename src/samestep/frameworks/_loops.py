"""The training and evaluation loops of frameworks that have none of their own. No framework is imported.

Epoch figures are means over rows, so that a partial last batch counts by its size.
"""

import numpy as np


def in_order(x, y, batch_size, epoch):
    """Batches in the order of the rows; a partial last batch is kept."""
    for start in range(0, len(x), batch_size):
        yield x[start : start + batch_size], y[start : start + batch_size]


def show_batches(own, x, y, batch_size, epochs, see):
    """Call see(epoch, x, y) for each batch of the program's own pipeline, or of the rows in order."""
    for epoch in range(epochs):
        for x_batch, y_batch in (own or in_order)(x, y, batch_size, epoch):
            see(epoch, x_batch, y_batch)


def train_loop(one_step, own, x, y, batch_size, epochs, steps, watch):
    """Train; one_step(x, y) updates the program and returns (loss, {metric: value}).

    Returns ``running_loss``, float64 (steps,): after each step the mean loss over the rows of its epoch so far, as Keras
    logs it; and ``epochs``, the means of loss and metrics for each epoch.
    """
    total = steps or epochs * -(-len(x) // batch_size)
    running, rows_of_epochs, done = [], [], 0
    for epoch in range(epochs if steps is None else steps):
        means = _Means()
        for x_batch, y_batch in (own or in_order)(x, y, batch_size, epoch):
            loss, metrics = one_step(x_batch, y_batch)
            means.add(len(x_batch), dict(metrics, loss=loss))
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


def evaluate_loop(one_batch, x, y, batch_size):
    """Means over rows of what one_batch(x, y) returns, (loss, {metric: value})."""
    means = _Means()
    for x_batch, y_batch in in_order(x, y, batch_size, 0):
        loss, metrics = one_batch(x_batch, y_batch)
        means.add(len(x_batch), dict(metrics, loss=loss))
    return means.values()


class _Means:
    def __init__(self):
        self.rows, self.sums = 0, {}

    def add(self, rows, values):
        self.rows += rows
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + rows * float(np.mean(value))

    def value(self, name):
        return self.sums[name] / self.rows

    def values(self):
        return {name: self.value(name) for name in sorted(self.sums)}
