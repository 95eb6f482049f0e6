"""Which rows, scalars and tensors of two runs are each other's twins, and in which rows they differ by a bit."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from samestep.runs.format import Segment
from samestep.runs.reading import Block

ORDER = (
    "step",
    "number of steps",
    "batch",
    "generator",
    "loss",
    "scalar",
    "gradient",
    "update",
    "learning rate",
    "parameter",
    "buffer",
)
"""What comes first causes what comes later in a step."""
BACKWARD = ("gradient", "update")
"""They are made from the output to the input."""
SCALARS = ("loss", "scalar", "learning rate")


class Item(NamedTuple):
    """Something that each row has; places: where it is among its segment's scalars or tensors, left and right."""

    kind: str
    name: str
    places: tuple[int, int] = (0, 0)

    @property
    def label(self) -> str:
        """The kind and the name, once where they are the same."""
        return self.kind if self.name.replace("_", " ") == self.kind else f"{self.kind} {self.name}"

    @property
    def rank(self) -> tuple[int, int]:
        """What sorts items in causal order."""
        if self.kind in BACKWARD:
            return ORDER.index(BACKWARD[0]), -self.places[0]
        return (ORDER.index(self.kind) if self.kind in ORDER else len(ORDER)), self.places[0]


@dataclass(frozen=True)
class Pairing:
    """What of the rows of two segments is compared: scalars and tensors, in the order of the left segment.

    columns: where the tensors are on either side; None where they are the same and all. altered: tensors whose dtype or shape
    is not the same. by_digest: whether both sides have digests of the same algorithm. unpaired: what only one side has.
    aligned: the names of parameters that were paired by order and shape. foreign: whether the sides are of different
    frameworks, whose layouts of the same tensor, batches and precision of scalars need not be the same.
    """

    left: Segment
    right: Segment
    scalars: tuple[Item, ...]
    tensors: tuple[Item, ...]
    columns: tuple[np.ndarray, np.ndarray] | None
    altered: tuple[int, ...]
    by_digest: bool
    unpaired: tuple[tuple[Item, ...], tuple[Item, ...]]
    aligned: Mapping[str, str]
    foreign: bool

    @property
    def by_batch(self) -> bool:
        """Whether digests of batches tell whether these are the same."""
        return self.by_digest and not self.foreign

    @property
    def items(self) -> tuple[Item, ...]:
        """In the order of the columns of `unequal`."""
        return (Item("step", "step"), Item("batch", "batch"), *self.scalars, *self.tensors)


def paired(left: Segment, right: Segment, twins: Mapping[str, str]) -> Pairing:
    """Tensors by kind and name, or by the name that twins gives for the left one's; parameters left over by order and shape.

    Scalars by name, but for those of Keras, which are means over the epoch so far, and another framework's.
    """
    ours, theirs = _tensors(left), _tensors(right)
    foreign = bool(left.framework and right.framework) and left.framework != right.framework
    aligned = alignment(left, right, twins, foreign)
    told = {**aligned, **twins}
    names = {**dict.fromkeys(told.values(), ""), **told}  # a right name that is taken is no other left tensor's
    there = dict(zip(_keys(theirs, {}), theirs, strict=True))
    tensors = [
        item._replace(places=(item.places[0], there[key].places[1]))
        for item, key in zip(ours, _keys(ours, names), strict=True)
        if key in there
    ]
    scalars = [
        item._replace(places=(item.places[0], right.scalars.index(item.name)))
        for item in _scalars(left)
        if item.name in right.scalars
        and (item.kind == "learning rate" or not foreign or not _one_is_keras(left, right))
    ]
    both = [*tensors, *scalars]
    unpaired = (_without([*ours, *_scalars(left)], both, 0), _without([*theirs, *_scalars(right)], both, 1))
    digests = left.digest == right.digest
    return Pairing(
        left, right, tuple(scalars), tuple(tensors), _columns(tensors, left, right),
        _altered(tensors, left, right, foreign), digests, unpaired, aligned, foreign,
    )  # fmt: skip


def _one_is_keras(left: Segment, right: Segment) -> bool:
    return "keras" in (left.framework, right.framework)


def alignment(left: Segment, right: Segment, twins: Mapping[str, str], foreign: bool) -> dict[str, str]:
    """{left name: right name} of parameters that neither their names nor twins pair, where shapes leave no doubt.

    A shape that one parameter on either side has pairs them. One that several have pairs them in their order if all that are
    left over have the same shapes in the same order; not where that is the order of names, as in JAX's trees.
    Between frameworks a shape counts up to the order of its axes.
    """
    common = {entry.name for entry in left.entries} & {entry.name for entry in right.entries}
    ours = _shapes(left, common | set(twins), foreign)
    theirs = _shapes(right, common | set(twins.values()), foreign)
    ordered = [*ours.values()] == [*theirs.values()] and not (_sorted(left, ours) or _sorted(right, theirs))
    found: dict[str, str] = {}
    for shape in dict.fromkeys(ours.values()):
        those = [[name for name, other in side.items() if other == shape] for side in (ours, theirs)]
        if len(those[0]) == len(those[1]) and (ordered or len(those[0]) == 1):
            found.update(zip(*those, strict=True))
    return {name: found[name] for name in ours if name in found}


def _sorted(segment: Segment, names: Iterable[str]) -> bool:
    return segment.framework in ("", "jax") and list(names) == sorted(names)


def _shapes(segment: Segment, paired: set[str], foreign: bool) -> dict[str, tuple[int, ...]]:
    """Of each parameter that has no twin yet; without axes of size 1, and sorted, where the other side is foreign."""
    return {
        entry.name: tuple(sorted(size for size in entry.shape if size > 1)) if foreign else entry.shape
        for entry in segment.entries
        if entry.kind == "parameter" and entry.name not in paired
    }


def _tensors(segment: Segment) -> list[Item]:
    return [Item(entry.kind, entry.name, (place, place)) for place, entry in enumerate(segment.entries)]


def _keys(items: list[Item], names: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """What twins have in common: kind and name, and which of those that are named the same it is."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for item in items:
        name = item.kind, names.get(item.name, item.name)
        keys.append((*name, seen[name]))
        seen[name] += 1
    return keys


def _scalars(segment: Segment) -> list[Item]:
    return [Item(_kind(name), name, (place, place)) for place, name in enumerate(segment.scalars)]


def _kind(scalar: str) -> str:
    words = re.split(r"[^a-z]+", scalar.lower())
    if "lr" in words or "learning_rate" in "_".join(words):
        return "learning rate"
    return "loss" if "loss" in words else "scalar"


def _without(items: Iterable[Item], both: list[Item], side: int) -> tuple[Item, ...]:
    taken = {(item.kind, item.places[side]) for item in both}
    return tuple(item for item in items if (item.kind, item.places[side]) not in taken)


def _columns(tensors: list[Item], left: Segment, right: Segment) -> tuple[np.ndarray, np.ndarray] | None:
    ours, theirs = np.array([item.places for item in tensors], int).reshape(-1, 2).T
    whole = len(tensors) == len(left.entries) == len(right.entries)
    return None if whole and np.array_equal(ours, theirs) else (ours, theirs)


def _altered(tensors: list[Item], left: Segment, right: Segment, foreign: bool) -> tuple[int, ...]:
    twins = [(left.entries[item.places[0]], right.entries[item.places[1]]) for item in tensors]
    return tuple(
        place
        for place, (one, other) in enumerate(twins)
        if one.dtype != other.dtype or (one.shape != other.shape and not foreign)
    )


class Span(NamedTuple):
    """Rows of a source that lie in one block on either side; row: which of the source's is the first."""

    row: int
    rows: int
    left: Block
    at_left: int
    right: Block
    at_right: int

    @property
    def ours(self) -> slice:
        """The rows of the left block."""
        return slice(self.at_left, self.at_left + self.rows)

    @property
    def theirs(self) -> slice:
        """The rows of the right block."""
        return slice(self.at_right, self.at_right + self.rows)

    @property
    def steps(self) -> np.ndarray:
        """The left side's."""
        return self.left.step[self.ours]

    def only(self, row: int) -> Span:
        """One of its rows."""
        return Span(self.row + row, 1, self.left, self.at_left + row, self.right, self.at_right + row)


def spans(left: list[Block], right: list[Block]) -> Iterator[Span]:
    """The rows that both have, cut wherever a block ends on either side."""
    row, (one, other), (at_left, at_right) = 0, (0, 0), (0, 0)
    while one < len(left) and other < len(right):
        ours, theirs = left[one], right[other]
        count = min(ours.rows - at_left, theirs.rows - at_right)
        yield Span(row, count, ours, at_left, theirs, at_right)
        row, at_left, at_right = row + count, at_left + count, at_right + count
        if at_left == ours.rows:
            one, at_left = one + 1, 0
        if at_right == theirs.rows:
            other, at_right = other + 1, 0


def equal(span: Span, pairing: Pairing) -> bool:
    """Whether nothing differs: what most rows are asked, and so without a word on where."""
    if pairing.altered:
        return False
    pairs = [_of_tensors(span, pairing), *_of_scalars(span, pairing), *([_batches(span)] if pairing.by_batch else [])]
    return all(bool((left == right).all()) for left, right in pairs)


def unequal(span: Span, pairing: Pairing) -> tuple[np.ndarray, bool]:
    """What differs, (rows, items), and whether a batch is known on one side only, which tells nothing."""
    steps, *scalars = (left != right for left, right in _of_scalars(span, pairing))
    left, right = _batches(span)
    known = left.any(1) & right.any(1)
    batch = (left != right).any(1) & known & pairing.by_batch
    tensors = np.not_equal(*_of_tensors(span, pairing)).any(-1)
    if pairing.foreign:
        tensors &= _norms_differ(span, pairing)
    tensors[:, list(pairing.altered)] = True
    one_sided = bool((left.any(1) != right.any(1)).any()) and not pairing.foreign
    return np.column_stack([steps, batch, *scalars, tensors]), one_sided


def _norms_differ(span: Span, pairing: Pairing) -> np.ndarray:
    """Where norms are farther apart than the roundings of sums of as many squares, in whatever order, can put them.

    To first order each norm is off by n u / 2 at most, with u = 2**-24 (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1); twice that is allowed.
    """
    places = np.array([item.places for item in pairing.tensors], int).reshape(-1, 2).T
    left, right = span.left.norms[span.ours][:, places[0]], span.right.norms[span.theirs][:, places[1]]
    sizes = np.array([math.prod(pairing.left.entries[place].shape) for place in places[0]], float)
    with np.errstate(invalid="ignore"):
        differ: np.ndarray = np.abs(left - right) > (sizes + 2) * 2.0**-23 * np.maximum(left, right)
    return differ


def _of_tensors(span: Span, pairing: Pairing) -> tuple[np.ndarray, np.ndarray]:
    """What tells tensors apart, (rows, tensors, words) of 64 bits: digests, or norms where those cannot be compared."""
    if pairing.by_digest:
        left, right = span.left.digests[span.ours], span.right.digests[span.theirs]
    else:
        left, right = _words(span.left.norms[span.ours]), _words(span.right.norms[span.theirs])
    return (left, right) if pairing.columns is None else (left[:, pairing.columns[0]], right[:, pairing.columns[1]])


def _of_scalars(span: Span, pairing: Pairing) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Steps and scalars, as 64 bits a row; of different frameworks, in the precision of float32."""
    yield span.left.step[span.ours], span.right.step[span.theirs]
    for item in pairing.scalars:
        left = span.left.scalar(item.places[0])[span.ours]
        right = span.right.scalar(item.places[1])[span.theirs]
        if pairing.foreign:  # one has a float32 where the other has a number of Python's
            left, right = (side.astype(np.float32).astype(np.float64) for side in (left, right))
        yield left.view(np.uint64), right.view(np.uint64)


def _batches(span: Span) -> tuple[np.ndarray, np.ndarray]:
    return span.left.batch[span.ours], span.right.batch[span.theirs]


def _words(norms: np.ndarray) -> np.ndarray:
    return norms.view(np.uint64)[..., np.newaxis]


class Rows:
    """Rows of a source by number."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._ends = np.cumsum([block.rows for block in blocks])
        self.count = int(self._ends[-1]) if blocks else 0

    def at(self, row: int) -> tuple[Block, int]:
        """The block that a row is in, and its place there."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        block = self._blocks[number]
        return block, row - int(self._ends[number]) + block.rows
