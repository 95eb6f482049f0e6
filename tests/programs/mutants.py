"""Programs that differ from a built-in experiment in one place, as a user's own file would."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

ROWS = 120
"""Three full batches of 32 and a partial one of 24."""
STEPS = 9
"""Two epochs, and the first step of a third."""


def digits():
    """The first rows of scikit-learn's handwritten digits: x float32 (120, 64), y int64 (120,)."""
    x, y = load_digits(return_X_y=True)
    return (x[:ROWS] / 16).astype(np.float32), y[:ROWS].astype(np.int64)


def mutant(folder, experiment, framework, *changes):
    """Write the experiment's own source with each (old, new) replaced; returns the path of the program file."""
    text = source(experiment, framework)
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {experiment}:{framework}"
        text = text.replace(old, new)
    path = Path(folder) / f"{experiment}_{framework}_mutant.py".replace("-", "_")
    path.write_text(text, encoding="utf-8")
    return str(path)


def source(experiment, framework):
    """The text of an experiment's program; finds it without importing the framework."""
    spec = find_spec(f"samestep.experiments.{experiment.replace('-', '_')}.{framework}")
    return Path(spec.origin).read_text(encoding="utf-8")


def own_batches(framework, body):
    """The changes that give a program an input pipeline of its own: the body of batches(x, y, batch_size, epoch)."""
    function = f"def batches(x, y, batch_size, epoch):\n{body}\n\n\ndef build(input_shape):"
    given = {
        "keras": ("return model", "return Program(model, batches=batches)"),
        "tensorflow": ("return Program(\n", "return Program(\n        batches=batches,\n        forward=forward,\n"),
        "tensorflow1": ("return Program(\n", "return Program(\n            batches=batches,\n"),
    }[framework]
    changes = [("def build(input_shape):", function), given]
    if framework == "keras":
        changes.insert(0, ("import keras\n", "import keras\nfrom samestep.frameworks.keras import Program\n"))
    if framework == "tensorflow":
        changes.append(("        forward,\n        variables", "        variables"))
    return tuple(changes)
