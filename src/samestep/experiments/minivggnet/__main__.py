"""minivggnet as a script: train it with Keras's own progress, print a classification report, and draw the curves.

python -m samestep.experiments.minivggnet --plot FILE [--data cifar10] [--epochs 30] [--crelu]

The last line has the figures of the last epoch. It runs beside samestep itself, not in a worker.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.data.loading import load, load_test
from samestep.errors import SamestepError, UsageError

Rows = tuple[NDArray[Any], NDArray[Any]]

NAMES = {"cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")}
"""Of the ten classes, where they have names."""
HELD_OUT = 6
"""Where data has no test rows of its own, one row in so many is kept for validation."""


def main(arguments: list[str] | None = None) -> None:
    """Train, report, draw."""
    asked = _asked(arguments)
    training, validation = _rows(asked.data)
    history, guessed = _trained(asked, training, validation)
    _report(validation[1], guessed, NAMES.get(asked.data))
    plot(history, asked.plot, f"minivggnet, {'CReLU' if asked.crelu else 'ReLU'} ({asked.framework}), {asked.data}")
    print(", ".join(f"{name} {history[name][-1]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy")))


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m samestep.experiments.minivggnet", description=__doc__.split("\n")[0])
    parser.add_argument("--plot", metavar="FILE", required=True, help="where the curves go: a .png, .svg or .pdf file")
    parser.add_argument("--data", default="cifar10", help="cifar10, photos, FILE.npz or FILE.py:function [cifar10]")
    parser.add_argument("--epochs", type=int, default=30, help="[30]")
    parser.add_argument(
        "--crelu", action="store_true", help="TensorFlow's concatenated ReLU, in tf_keras, through a Lambda"
    )
    parser.add_argument("--in", dest="framework", choices=("keras", "tf_keras"), help="[keras; tf_keras with --crelu]")
    parser.add_argument("--seed", type=int, help="of every generator [none: initial weights differ from run to run]")
    asked = parser.parse_args(arguments)
    asked.framework = asked.framework or ("tf_keras" if asked.crelu else "keras")
    if asked.epochs < 1:
        parser.error("--epochs: at least 1 is expected.")
    if not Path(asked.plot).resolve().parent.is_dir():
        parser.error(f"--plot {asked.plot}: that folder does not exist.")
    return asked


def _rows(source: str) -> tuple[Rows, Rows]:
    """Training and validation rows: images (N, height, width, channels) and class numbers below 10."""
    data, test = load(source), load_test(source)
    if (
        isinstance(data.x, dict)
        or isinstance(data.y, dict)
        or data.x.ndim != 4
        or not set(np.unique(data.y)) <= set(range(10))
    ):
        raise UsageError(f"--data {source}: expected colour images (N, height, width, channels) of classes 0 to 9.")
    if test is not None and not isinstance(test.x, dict) and not isinstance(test.y, dict):
        return (data.x, data.y.ravel()), (test.x, test.y.ravel())
    kept = np.arange(data.rows) % HELD_OUT == 0
    return (data.x[~kept], data.y.ravel()[~kept]), (data.x[kept], data.y.ravel()[kept])


def _trained(
    asked: argparse.Namespace, training: Rows, validation: Rows
) -> tuple[dict[str, list[float]], NDArray[Any]]:
    """Losses and accuracies by epoch, and the classes that the trained net sees in the validation rows."""
    program = importlib.import_module(f"samestep.experiments.minivggnet{'_crelu' * asked.crelu}.{asked.framework}")
    if asked.seed is not None:
        importlib.import_module(asked.framework).utils.set_random_seed(asked.seed)
    (x, y), checked = program.prepare(*training), program.prepare(*validation)
    model = program.build(x.shape[1:])
    verbose = 1 if sys.stdout.isatty() else 2  # a bar, or a line an epoch
    history = model.fit(x, y, validation_data=checked, batch_size=32, epochs=asked.epochs, verbose=verbose).history
    return history, model.predict(checked[0], batch_size=32, verbose=0).argmax(axis=1)


def _report(labels: NDArray[Any], guessed: NDArray[Any], names: tuple[str, ...] | None) -> None:
    from sklearn.metrics import classification_report

    print(classification_report(labels, guessed, labels=range(10), target_names=names, zero_division=0))


def plot(history: dict[str, list[float]], path: str, title: str) -> None:
    """Loss and accuracy by epoch, of training and validation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, line in (("loss", "-"), ("accuracy", "--")):
        for prefix, colour in (("", "C0"), ("val_", "C1")):
            values = history[prefix + name]
            label = f"{'validation' if prefix else 'training'} {name}"
            axes.plot(
                range(1, len(values) + 1),
                values,
                line,
                color=colour,
                label=label,
                marker="." if len(values) < 3 else None,
            )
    axes.set(xlabel="epoch", ylabel="loss, accuracy", ylim=(0, None), title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--plot {path}: the figure could not be written: {error}.") from error


if __name__ == "__main__":
    try:
        main()
    except SamestepError as error:
        print(f"minivggnet: {error}", file=sys.stderr)
        sys.exit(2)
