"""Which tensors of the left program are which of the right one, and how their elements lie there.

Tensors are described as {"name", "shape", "dtype"} and, where an adapter knows them, "layer" and "layout" (see layouts).
What is proposed here from order, shape, layout and name is tried by the numbers in `settling`.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.matching.layouts import Block, blocks

Array = NDArray[Any]
Described = Mapping[str, Any]


@dataclass(frozen=True)
class Tensor:
    """One parameter or buffer of a program."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """The number of its elements."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


@dataclass(frozen=True, eq=False)
class Group:
    """Tensors of the left side and those of the right side that hold the same elements: mostly one and one.

    places: for each element of the right tensors, laid flat one behind the other, where it is in the left ones.
    """

    left: tuple[Tensor, ...]
    right: tuple[Tensor, ...]
    places: Array

    def to_right(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Left arrays by name as right arrays by name, in the right side's precision."""
        moved = _moved(self.left, self.right, None if self._in_place else self.places, arrays)
        return {tensor.name: _in_precision(moved[tensor.name], tensor.dtype) for tensor in self.right}

    def to_left(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Right arrays by name as left arrays by name, in their own precision."""
        return _moved(self.right, self.left, None if self._in_place else self._back, arrays)

    @cached_property
    def _in_place(self) -> bool:
        return bool(np.array_equal(self.places, np.arange(self.places.size)))

    @cached_property
    def _back(self) -> Array:
        return np.argsort(self.places)


@dataclass(frozen=True)
class Alignment:
    """The groups in the order of the left side, and what is left over on either side.

    matches: the pairs of pieces that the groups are made of. still: names of those left over that training does not
    change, such as a bias that is frozen at zero.
    """

    groups: tuple[Group, ...]
    left_over: tuple[Tensor, ...] = ()
    right_over: tuple[Tensor, ...] = ()
    matches: tuple[Match, ...] = ()
    still: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether every tensor that training changes has a twin."""
        return all(tensor.name in self.still for tensor in self.left_over + self.right_over)

    @cached_property
    def right_names(self) -> dict[str, str]:
        """For each left tensor, the right tensors that hold its elements."""
        return {one.name: " + ".join(t.name for t in group.right) for group in self.groups for one in group.left}

    def to_right(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """All left arrays as right ones."""
        return {name: array for group in self.groups for name, array in group.to_right(arrays).items()}

    def to_left(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """All right arrays as left ones."""
        return {name: array for group in self.groups for name, array in group.to_left(arrays).items()}


@dataclass(frozen=True)
class Piece:
    """A tensor or a block of one, as it takes part in the pairing. key: pieces of one key may stand for each other."""

    tensor: Tensor
    key: tuple[Any, ...]
    shape: tuple[int, ...]
    places: Array = field(repr=False)
    layer: str = ""
    declared: bool = False


@dataclass(frozen=True, eq=False)
class Match:
    """A left piece and its right twin. order: element i of the right piece is element order[i] of the left one."""

    left: Piece
    right: Piece
    order: Array = field(repr=False)

    def piece(self, side: int) -> Piece:
        """The left (0) or the right (1) piece."""
        return self.right if side else self.left


def align(left: Sequence[Described], right: Sequence[Described], named: Mapping[str, str] | None = None) -> Alignment:
    """Pair tensors in order by layout or shape, and those out of order by nearness of name too.

    First come the pairs that the user named, {left name: right name}; then blocks whose layouts are declared; then whole
    tensors by shape up to the order of axes; then blocks of tensors against tensors; then tensors that are others joined.
    """
    sides = [[_tensor(entry) for entry in entries] for entries in (left, right)]
    described = [{entry["name"]: entry for entry in entries} for entries in (left, right)]
    found: list[Match] = []
    for pieces in (_as_named(named or {}), _declared_blocks, _whole, _any_blocks):
        rest = [_rest(tensors, found, side) for side, tensors in enumerate(sides)]
        ours, theirs = (pieces(rest[side], described[side], side) for side in (0, 1))
        found += _only_whole_tensors([_matched(*pair) for pair in _in_common_order(ours, theirs)])
    rest = [_rest(tensors, found, side) for side, tensors in enumerate(sides)]
    found += _joined(rest[0], rest[1])
    return grouped(found, *sides)


def grouped(matches: Sequence[Match], left: Sequence[Tensor], right: Sequence[Tensor]) -> Alignment:
    """The alignment made of these pairs of pieces: tensors that share pieces form one group."""
    groups = [_group(members) for members in _connected(matches)]
    place = {tensor.name: number for number, tensor in enumerate(left)}
    groups.sort(key=lambda group: min(place[tensor.name] for tensor in group.left))
    over = [_rest(tensors, matches, side) for side, tensors in enumerate((left, right))]
    return Alignment(tuple(groups), tuple(over[0]), tuple(over[1]), tuple(matches))


def suggestions(alignment: Alignment) -> list[str]:
    """For tensors left over on the left, the likeliest of the right ones left over, by size, then by name."""
    rest, lines = list(alignment.right_over), []
    for one in alignment.left_over:
        if rest:
            other = max(rest, key=lambda tensor: _likelihood(one, tensor))
            lines.append(f'"{one.name}" = "{other.name}"')
            rest.remove(other)
    return lines


def _likelihood(one: Tensor, other: Tensor) -> tuple[bool, bool, float]:
    return one.size == other.size, len(one.shape) == len(other.shape), _nearness(one.name, other.name)


def _tensor(entry: Described) -> Tensor:
    return Tensor(entry["name"], tuple(entry["shape"]), entry["dtype"])


def _in_precision(array: Array, dtype: str) -> Array:
    return array.astype(dtype) if array.dtype.kind == "f" and dtype.startswith("float") else array


def _moved(
    source: Sequence[Tensor], target: Sequence[Tensor], places: Array | None, arrays: Mapping[str, Array]
) -> dict[str, Array]:
    flat = np.concatenate([np.asarray(arrays[tensor.name]).ravel() for tensor in source])
    flat = flat if places is None else flat[places]
    ends = np.cumsum([tensor.size for tensor in target])
    return {t.name: flat[end - t.size : end].reshape(t.shape) for t, end in zip(target, ends, strict=True)}


# --- pieces ---


def _rest(tensors: Sequence[Tensor], found: Sequence[Match], side: int) -> list[Tensor]:
    paired = {match.piece(side).tensor.name for match in found}
    return [tensor for tensor in tensors if tensor.name not in paired]


def _as_named(named: Mapping[str, str]) -> Any:
    """Pieces of the tensors that the user named, each with a key that only its twin has."""

    def pieces(tensors: Sequence[Tensor], described: Mapping[str, Described], side: int) -> list[Piece]:
        numbers = {pair[side]: number for number, pair in enumerate(named.items())}
        return [Piece(t, ("named", numbers[t.name]), t.shape, np.arange(t.size)) for t in tensors if t.name in numbers]

    return pieces


def _declared_blocks(tensors: Sequence[Tensor], described: Mapping[str, Described], side: int) -> list[Piece]:
    """Blocks of tensors with a layout, in the order of their layers and, within one, of their labels."""
    pieces = [_piece(t, block, described) for t in tensors for block in declared(described[t.name])]
    layers: dict[str, int] = {}
    for piece in pieces:
        layers.setdefault(piece.layer, len(layers))
    return sorted(pieces, key=lambda piece: (layers[piece.layer], piece.key))


def _whole(tensors: Sequence[Tensor], described: Mapping[str, Described], side: int) -> list[Piece]:
    return [_whole_piece(tensor, described[tensor.name].get("layer", "")) for tensor in tensors]


def _whole_piece(tensor: Tensor, layer: str = "") -> Piece:
    return Piece(tensor, _shape_key(tensor.shape), tensor.shape, np.arange(tensor.size), layer)


def _any_blocks(tensors: Sequence[Tensor], described: Mapping[str, Described], side: int) -> list[Piece]:
    """Blocks where a layout is declared, whole tensors elsewhere, all by shape alone."""
    pieces = []
    for tensor in tensors:
        for block in declared(described[tensor.name]):
            shape = tuple(size for _, size in block.axes)
            pieces.append(Piece(tensor, _shape_key(shape), shape, block.places))
        if not declared(described[tensor.name]):
            pieces.append(_whole_piece(tensor))
    return pieces


def declared(entry: Described) -> list[Block]:
    """The blocks of a tensor by its declared layout; none where it has none, or one that does not fit it."""
    try:
        return blocks(entry["layout"], entry["shape"]) if entry.get("layout") else []
    except ValueError:
        return []


def _piece(tensor: Tensor, block: Block, described: Mapping[str, Described]) -> Piece:
    shape = tuple(size for _, size in block.axes)
    layer = described[tensor.name].get("layer", tensor.name)
    return Piece(tensor, ("declared", *block.key), shape, block.places, layer, declared=True)


def _shape_key(shape: Sequence[int]) -> tuple[Any, ...]:
    return ("shape", *sorted(size for size in shape if size > 1))


# --- pairs ---


def _matched(one: Piece, other: Piece) -> Match:
    """The two pieces with the likeliest order of elements."""
    numbers = np.arange(one.places.size)
    both = one.declared and other.declared
    return Match(one, other, numbers if both else arrangements(one.shape, other.shape)[0](numbers))


def _only_whole_tensors(matches: Sequence[Match]) -> list[Match]:
    """Those of groups of which every element has found its twin; the rest are left for another attempt."""
    return [match for members in _connected(matches) if _covers(members) for match in members]


def _covers(matches: Sequence[Match]) -> bool:
    for side in (0, 1):
        tensors = {match.piece(side).tensor for match in matches}
        if sum(match.piece(side).places.size for match in matches) != sum(tensor.size for tensor in tensors):
            return False
    return True


def _connected(matches: Sequence[Match]) -> list[list[Match]]:
    """The matches, those that share a tensor together."""
    groups: list[tuple[set[Any], list[Match]]] = []
    for match in matches:
        tensors = {(side, match.piece(side).tensor) for side in (0, 1)}
        touching = [group for group in groups if group[0] & tensors]
        groups = [group for group in groups if not group[0] & tensors]
        members = [member for group in touching for member in group[1]]
        groups.append((tensors.union(*(group[0] for group in touching)), [*members, match]))
    return [members for _, members in groups]


def _group(matches: Sequence[Match]) -> Group:
    sides = [list(dict.fromkeys(match.piece(side).tensor for match in matches)) for side in (0, 1)]
    starts = [dict(zip(tensors, _starts(tensors), strict=True)) for tensors in sides]
    places = np.empty(sum(tensor.size for tensor in sides[1]), np.int64)
    for m in matches:
        at = starts[1][m.right.tensor] + m.right.places
        places[at] = starts[0][m.left.tensor] + m.left.places[m.order]
    return Group(tuple(sides[0]), tuple(sides[1]), places)


def _starts(tensors: Sequence[Tensor]) -> list[int]:
    return [0, *itertools.accumulate(tensor.size for tensor in tensors)][:-1]


def _in_common_order(left: Sequence[Piece], right: Sequence[Piece]) -> list[tuple[Piece, Piece]]:
    """The most pairs of one key that cross no other, those of nearest names among as many; then the rest by name."""
    if [one.key for one in left] == [other.key for other in right]:
        return list(zip(left, right, strict=True))
    pairs = _uncrossed(left, right)
    taken = {id(piece) for pair in pairs for piece in pair}
    rest = [other for other in right if id(other) not in taken]
    for one in (piece for piece in left if id(piece) not in taken):
        candidates = [other for other in rest if other.key == one.key]
        if candidates:
            other = max(candidates, key=lambda piece: _nearness(one.tensor.name, piece.tensor.name))
            pairs.append((one, other))
            rest = [piece for piece in rest if piece is not other]
    return pairs


def _uncrossed(left: Sequence[Piece], right: Sequence[Piece]) -> list[tuple[Piece, Piece]]:
    best: dict[tuple[int, int], tuple[int, float]] = {}  # (i, j): pairs and nearness of left[i:] and right[j:]
    for i, j in itertools.product(range(len(left), -1, -1), range(len(right), -1, -1)):
        best[i, j] = max((value for value, *_ in _ways(left, right, i, j, best)), default=(0, 0.0))
    pairs, i, j = [], 0, 0
    while best[i, j][0]:
        _, paired, i_next, j_next = max(_ways(left, right, i, j, best), key=lambda way: way[0])
        if paired:
            pairs.append((left[i], right[j]))
        i, j = i_next, j_next
    return pairs


def _ways(
    left: Sequence[Piece],
    right: Sequence[Piece],
    i: int,
    j: int,
    best: Mapping[tuple[int, int], tuple[int, float]],
) -> list[tuple[tuple[int, float], bool, int, int]]:
    """What can be done with left[i] and right[j], pair them or pass over one, and what it comes to: value, paired, i, j."""
    ways = [(best[k, m], False, k, m) for k, m in ((i + 1, j), (i, j + 1)) if k <= len(left) and m <= len(right)]
    if i < len(left) and j < len(right) and left[i].key == right[j].key:
        count, nearness = best[i + 1, j + 1]
        near = _nearness(left[i].tensor.name, right[j].tensor.name)
        ways.append(((count + 1, nearness + near), True, i + 1, j + 1))
    return ways


@lru_cache(maxsize=100_000)
def _nearness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _joined(left: Sequence[Tensor], right: Sequence[Tensor]) -> list[Match]:
    """Tensors of one side that are neighbours of the other side, joined along an axis."""
    found: list[Match] = []
    for swap, (ones, manies) in enumerate(((left, right), (right, left))):
        free = list(manies)
        for one in (tensor for tensor in ones if tensor not in _taken(found)):
            run = _run_that_joins_to(one, [tensor for tensor in free if tensor not in _taken(found)])
            for part, whole in _cut(one, *run) if run is not None else ():
                found.append(_matched(whole, part) if swap else _matched(part, whole))
    return found


def _taken(matches: Sequence[Match]) -> set[Tensor]:
    return {match.piece(side).tensor for match in matches for side in (0, 1)}


def _run_that_joins_to(one: Tensor, many: Sequence[Tensor]) -> tuple[list[Tensor], int] | None:
    """Neighbours that give `one` when joined along one of its axes, and that axis."""
    for count in range(2, len(many) + 1):
        for start in range(len(many) - count + 1):
            run = list(many[start : start + count])
            if sum(tensor.size for tensor in run) != one.size:
                continue
            for axis in range(len(one.shape)):
                slab = one.size // max(1, one.shape[axis])
                widths = [tensor.size // slab for tensor in run]
                shapes = [(*one.shape[:axis], width, *one.shape[axis + 1 :]) for width in widths]
                fits = [_shape_key(s) == _shape_key(t.shape) for s, t in zip(shapes, run, strict=True)]
                if sum(widths) == one.shape[axis] and all(fits):
                    return run, axis
    return None


def _cut(one: Tensor, run: Sequence[Tensor], axis: int) -> list[tuple[Piece, Piece]]:
    slab = one.size // one.shape[axis]
    ends = list(itertools.accumulate(tensor.size // slab for tensor in run))[:-1]
    parts = np.split(np.arange(one.size).reshape(one.shape), ends, axis)
    return [
        (Piece(one, _shape_key(part.shape), part.shape, part.ravel()), _whole_piece(tensor))
        for part, tensor in zip(parts, run, strict=True)
    ]


# --- orders of elements ---


def arrangements(shape: Sequence[int], other: Sequence[int]) -> list[Callable[[Array], Array]]:
    """Functions of the flat left elements that give them the order of the right shape, the likeliest first.

    Only layouts that frameworks use: axes reversed or moved in one piece, or the same order with axes merged otherwise.
    """
    wanted = tuple(size for size in other if size > 1)
    own = tuple(size for size in shape if size > 1)
    orders = [axes for axes in _known_orders(len(own)) if tuple(own[axis] for axis in axes) == wanted]
    if not orders and sorted(own) == sorted(wanted):
        orders = [next(a for a in itertools.permutations(range(len(own))) if tuple(own[i] for i in a) == wanted)]
    if not orders:
        return [lambda flat: flat]
    return [partial(_transposed, shape=own, axes=axes) for axes in orders]


def _transposed(flat: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    return flat.reshape(shape).transpose(axes).ravel()


def _known_orders(rank: int) -> list[tuple[int, ...]]:
    """The orders of axes that known layouts differ by; where spatial axes are, they stay in their order."""
    same = tuple(range(rank))
    if rank < 2:
        return [same]
    first, last, ahead, rest = same[:-2], same[-2:], same[:2], same[2:]
    moved = [
        same,
        (last[1], last[0], *first),  # HWIO to OIHW
        (*last, *first),
        (*rest, ahead[1], ahead[0]),  # OIHW to HWIO
        (*rest, *ahead),
        (*first, last[1], last[0]),
        (ahead[1], ahead[0], *rest),
        (same[-1], *same[:-1]),  # channels last to channels first
        (*same[1:], same[0]),
    ]
    return list(dict.fromkeys(moved))
