"""What programs do to gradients between the loss and the optimizer: from one side's gradients to the other's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = Mapping[str, Array]

TORCH_BESIDE = 1e-6
"""What torch.nn.utils.clip_grad_norm_ adds to the norm: torch/nn/utils/clip_grad.py."""


@dataclass(frozen=True)
class Pass:
    """One batch at one state: rows, parameters and the gradients that one side says, float64."""

    rows: int
    parameters: Tensors
    gradients: Tensors


@dataclass(frozen=True)
class Change:
    """A change of gradients: what a user calls it, its number or the tensors it is about, and the function.

    apply(given) returns the changed gradients of a pass. tensors: those that it is about, if not all.
    """

    component: str
    setting: str
    value: Any
    apply: Callable[[Pass], Tensors]
    tensors: tuple[str, ...] = ()


def scaled(by: float) -> Change:
    """All gradients times a number: a sum where the other side has a mean, accumulation, loss scaling left in."""
    return Change("gradient", "scale", by, lambda given: {n: by * g for n, g in given.gradients.items()})


def scaled_by_rows(power: int) -> Change:
    """A sum over the batch where the other side has a mean, or the reverse."""
    named = "batch size" if power == 1 else "1 / batch size"
    return Change(
        "gradient",
        "scale",
        named,
        lambda given: {n: float(given.rows) ** power * g for n, g in given.gradients.items()},
    )


def scaled_each(by: Mapping[str, float]) -> Change:
    """Gradients of some tensors times a number of their own; minus one is a reversal."""
    return Change(
        "gradient", "scale", dict(by), lambda given: {n: by.get(n, 1.0) * g for n, g in given.gradients.items()}
    )


def clipped_by_value(limit: float, beside: float = 0.0) -> Change:
    """torch.nn.utils.clip_grad_value_, tf.clip_by_value, optax.clip."""
    return Change(
        "gradient",
        "clip_value",
        limit,
        lambda given: {n: np.clip(g, -limit, limit) for n, g in given.gradients.items()},
    )


def clipped_by_norm(limit: float, beside: float = 0.0) -> Change:
    """Each tensor by its own norm: tf.clip_by_norm, optax.per_leaf_clip_by_norm."""
    return Change(
        "gradient",
        "clip_norm",
        limit,
        lambda given: {n: _bounded(g, norm(g) + beside, limit) for n, g in given.gradients.items()},
    )


def clipped_by_global_norm(limit: float, beside: float = 0.0) -> Change:
    """All tensors by their common norm: torch.nn.utils.clip_grad_norm_, tf.clip_by_global_norm, optax.clip_by_global_norm."""

    def apply(given: Pass) -> Tensors:
        whole = global_norm(given.gradients) + beside
        return {n: _bounded(g, whole, limit) for n, g in given.gradients.items()}

    return Change("gradient", "global_clip_norm", limit, apply)


def clipped_to(limit: float, by: float) -> Change:
    """Gradients clipped by their common norm in all passes, made from such as are clipped to another limit."""
    return Change("gradient", "global_clip_norm", limit, scaled(by).apply)


def decayed(amounts: Mapping[str, float]) -> Change:
    """The gradient of an amount times the sum of squares added, tensor by tensor: weight decay by hand, without its loss."""
    return Change(
        "regularizer",
        "l2",
        one_value(amounts),
        lambda given: {n: g + 2 * amounts.get(n, 0.0) * given.parameters[n] for n, g in given.gradients.items()},
        partly(amounts),
    )


def shrunk(amounts: Mapping[str, float]) -> Change:
    """The gradient of an amount times the sum of absolute values added, tensor by tensor."""
    return Change(
        "regularizer",
        "l1",
        one_value(amounts),
        lambda given: {n: g + amounts.get(n, 0.0) * np.sign(given.parameters[n]) for n, g in given.gradients.items()},
        partly(amounts),
    )


def without_row(name: str, row: int) -> Change:
    """The gradient of one row of a table set to zero: torch.nn.Embedding's padding_idx."""

    def apply(given: Pass) -> Tensors:
        table = given.gradients[name].copy()
        table[row] = 0.0
        return {**given.gradients, name: table}

    return Change("gradient", "padding_idx", row, apply, (name,))


def noisy(added: Tensors, size: float) -> Change:
    """Numbers added to the gradients; size: their standard deviation."""
    return Change(
        "gradient", "noise", rounded(size, 2), lambda given: {n: g + added[n] for n, g in given.gradients.items()}
    )


def partly(amounts: Mapping[str, float]) -> tuple[str, ...]:
    """The tensors that have an amount, if not all of them do."""
    return tuple(name for name, amount in amounts.items() if amount) if not all(amounts.values()) else ()


def norm(gradient: Array) -> float:
    """The Euclidean norm of a tensor."""
    return float(np.linalg.norm(gradient.ravel()))


def global_norm(gradients: Tensors) -> float:
    """The Euclidean norm of all tensors together."""
    return float(np.sqrt(sum(norm(g) ** 2 for g in gradients.values())))


def rounded(value: float, digits: int) -> float:
    """The value with so many significant digits."""
    return float(f"{value:.{digits}g}")


def one_value(amounts: Mapping[str, float]) -> Any:
    """The amount where all tensors that have one have the same, else each one's."""
    values = {value for value in amounts.values() if value}
    return values.pop() if len(values) == 1 else dict(amounts)


def steepest(passes: Sequence[tuple[Array, Array]]) -> float:
    """The number by which the first of each two is the nearest to the second."""
    above = sum(float(np.sum(one * other)) for one, other in passes)
    below = sum(float(np.sum(one * one)) for one, _ in passes)
    return above / below if below else 0.0


def _bounded(gradient: Array, size: float, limit: float) -> Array:
    return np.asarray(gradient * min(1.0, limit / max(size, 1e-300)))
