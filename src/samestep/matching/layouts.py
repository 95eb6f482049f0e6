"""What the axes of a tensor mean, so that tensors of two frameworks pair whatever the order of their axes, gates or heads.

An adapter may declare the layout of a tensor as ``labels: axis axis …``. Labels say which part of its layer it is. An axis is
one or more factors joined by ``*``, in row-major order: a NAME, a NAME:SIZE, or a list of labels with commas between them,
which stands for equal blocks, one behind the other. A NAME on several axes is merged in their order; ``-NAME`` runs
backwards; axes of size 1 do not count. PyTorch's ``LSTM.weight_ih_l0`` is ``kernel: i,f,g,o*out in``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """A part of a tensor that a framework may hold as a tensor of its own.

    labels: what it is. axes: (name, size) in the order of the names. places: where its elements are in the flat
    tensor, in row-major order of those axes.
    """

    labels: frozenset[str]
    axes: tuple[tuple[str, int], ...]
    places: Array

    @property
    def key(self) -> tuple[Any, ...]:
        """Blocks of one key can stand for each other."""
        return tuple(sorted(self.labels)), self.axes


@dataclass(frozen=True)
class _Factor:
    name: str
    size: int
    labels: tuple[str, ...] = ()
    backwards: bool = False


def blocks(layout: str, shape: Sequence[int]) -> list[Block]:
    """The blocks of a tensor of this shape, by its declared layout; raises ValueError where that does not fit the shape."""
    words, _, axes = layout.partition(":")
    tokens = axes.split()
    if len(tokens) != len(shape):
        raise ValueError(f"layout {layout!r} has {len(tokens)} axes, the shape {tuple(shape)} has {len(shape)}")
    factors = [factor for token, size in zip(tokens, shape, strict=True) for factor in _factors(token, size)]
    places = np.arange(math.prod(shape)).reshape([factor.size for factor in factors])
    for axis, factor in enumerate(factors):
        places = np.flip(places, axis) if factor.backwards else places
    return [_block(set(words.split()), factors, places, choice) for choice in _choices(factors)]


def _choices(factors: Sequence[_Factor]) -> itertools.product[tuple[int, ...]]:
    """Every way to take one label of each list of labels, as its number."""
    return itertools.product(*(range(factor.size) for factor in factors if factor.labels))


def _block(words: set[str], factors: Sequence[_Factor], places: Array, choice: Sequence[int]) -> Block:
    chosen = iter(choice)
    picks = [next(chosen) if factor.labels else slice(None) for factor in factors]
    labels = {f.labels[pick] for f, pick in zip(factors, picks, strict=True) if isinstance(pick, int)}
    named = [factor for factor in factors if not factor.labels]
    part = places[tuple(picks)]
    order = sorted(range(len(named)), key=lambda axis: (named[axis].name, axis))
    sizes: dict[str, int] = {}
    for axis in order:
        sizes[named[axis].name] = sizes.get(named[axis].name, 1) * named[axis].size
    axes = tuple((name, size) for name, size in sizes.items() if size > 1)
    return Block(frozenset(words | labels), axes, np.transpose(part, order).ravel())


def _factors(token: str, size: int) -> list[_Factor]:
    """The factors of one axis; the one without a size of its own takes what the others leave."""
    if token == "1":
        token = "one:1"
    parts = [_factor(part) for part in token.split("*")]
    known = math.prod(part.size for part in parts if part.size)
    parts = [part if part.size else _Factor(part.name, size // known, backwards=part.backwards) for part in parts]
    if math.prod(part.size for part in parts) != size:
        raise ValueError(f"axis {token!r} does not divide {size}")
    return parts


def _factor(part: str) -> _Factor:
    if "," in part:
        labels = tuple(part.split(","))
        return _Factor("", len(labels), labels)
    name, _, size = part.partition(":")
    return _Factor(name.lstrip("-"), int(size or 0), backwards=name.startswith("-"))
