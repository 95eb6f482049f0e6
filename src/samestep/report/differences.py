"""The page of where frameworks differ by default, made of what the installed ones do.

Written anew by: python -m samestep.report.differences > docs/explanation/known-differences.md (``make docs``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samestep.explain import fixes
from samestep.explain.defaults import layers, optimizers
from samestep.report.frameworks import table

HEAD = """# Known differences

<!-- written by `make docs`, from what the installed frameworks do -->

Where frameworks differ if nothing is said. Optimizers were given gradients and identified by [what they did](causes.md),
not by what their documentation says; layers and functions were called or asked. optax has no default learning rate, nor has
base TensorFlow's gradient descent: 0.01 was given. An empty field: the framework does not have it, or it could not be
identified.

Beside these: a moving variance is the biased one in Keras 3 and Flax and the unbiased one in PyTorch (and in Keras 2's fused
normalisation); PyTorch's LSTM has two biases where others have one; Keras sums gradients times the rate of their own step,
PyTorch and optax rate the sum; Keras 3 on TensorFlow squares the parts of an embedding's gradient one by one.
"""
NOT_TOLD = ("accumulation_steps", "clip_value", "clip_norm", "global_clip_norm")
FRAMEWORKS = optimizers.FRAMEWORKS


def page(algorithms: Sequence[str] = optimizers.ALGORITHMS) -> str:
    """The page as Markdown; takes some seconds an optimizer."""
    sections = [HEAD, "## Layers and functions\n", table(("", *FRAMEWORKS), _layers()), "## Optimizers\n"]
    found = {framework: dict(optimizers.defaults(framework, algorithms)) for framework in FRAMEWORKS}
    for algorithm in algorithms:
        settings = {framework: by.get(algorithm) for framework, by in found.items()}
        sections += [f"### {algorithm}\n", table(("setting", *FRAMEWORKS), _settings(settings))]
    return "\n".join(sections)


def _layers() -> Iterator[list[str]]:
    found = {framework: layers.values(framework) for framework in FRAMEWORKS}
    for what in layers.VALUES:
        yield [what, *(shown(found[framework].get(what)) for framework in FRAMEWORKS)]


def _settings(found: Mapping[str, Mapping[str, Any] | None]) -> Iterator[list[str]]:
    """A row for each setting in which frameworks differ."""
    names = dict.fromkeys(name for settings in found.values() for name in settings or () if name not in NOT_TOLD)
    for name in names:
        row = [shown((found[framework] or {}).get(name)) for framework in FRAMEWORKS]
        if len({cell for cell in row if cell}) > 1:
            yield [name.replace("_", " "), *row]


def shown(value: Any) -> str:
    """A setting as a cell of the page."""
    return "" if value is None else fixes.shown(value)


if __name__ == "__main__":
    sys.stdout.write(page())
