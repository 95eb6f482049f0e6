"""One stream of random numbers for every framework: the n-th draw of a step is the same on both sides of a match.

The generator is Threefry-2x32 with 20 rounds (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers:
as easy as 1, 2, 3. SC 2011). It has no state: a number is known by the seed, the step (updates done), the number of the
draw within the step's forward pass and the place of the element. Here is what all frameworks share; `_randomness_tensorflow`,
`_randomness_torch` and `_randomness_jax` put the generator in the place of their framework's own, `_randomness_numpy` makes
the numbers that are fed to graphs of TensorFlow 1. No framework is imported. See docs/explanation/shared-randomness.md.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections import namedtuple
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from samestep.errors import ProgramError

INFERENCE = -1
"""The step of a pass in inference mode, which has a stream of its own."""
MASK = 0xFFFFFFFF
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
OWN = 1 << 31
"""Where the numbers of draws begin that a plan has no other side's draw for."""
BITS = {"float16": 10, "bfloat16": 7}
"""Random bits of a uniform number: 19, but for types that cannot hold as many."""
HOOKED = ("tensorflow", "torch", "jax")

version = 0
"""Changes whenever what was traced or compiled before would draw other numbers than now."""

Entry = Dict[str, Any]
Draw = namedtuple("Draw", "number shape axes flipped")
Draw.__doc__ = (
    "number: of the draw among those of the pass that it stands for; shape: the shape in which that one is drawn; "
    "axes: the order of its axes here; flipped: whether 1 - u is taken for u."
)


class Stream:
    """What the next draw goes by.

    seed: None while programs draw from their own generators. plans: of training and of inference, see `activate`.
    step, number: of the next draw; passing: whether a forward pass is on, inference: one in inference mode; noted: its draws, if
    they are recorded.
    """

    def __init__(self) -> None:
        self.seed: Optional[int] = None
        self.plans: Tuple[Sequence[Optional[Entry]], Sequence[Optional[Entry]]] = ((), ())
        self.step: Any = INFERENCE
        self.number = 0
        self.passing, self.inference = False, True
        self.noted: Optional[List[Entry]] = None

    @property
    def word(self) -> int:
        """The seed as a word."""
        return (self.seed or 0) & MASK

    @property
    def plan(self) -> Sequence[Optional[Entry]]:
        """The plan of the pass that is on."""
        return self.plans[self.inference]


stream = Stream()
_hooks: List[Any] = []
"""The modules that have put the stream in the place of a framework's generator."""


def activate(
    seed: int,
    plan: Optional[Sequence[Optional[Entry]]] = None,
    inference: Optional[Sequence[Optional[Entry]]] = None,
) -> None:
    """From now on random draws of forward passes come from the stream of this seed, in every framework that is imported.

    plan: an entry for each of this side's draws of a training pass, in order, where the other side's differ in order or
    layout; inference: the same for a pass in inference mode. An entry is None, for a draw that the other side has not, or
    {"draw": the number of the other side's draw, "axes": which of its axes is each of this one's, or None for the
    same, "shape": this one's shape as a product of finer axes, -1 for the rows, where `axes` are of those, "flip": whether
    1 - u is taken for u}; only "draw" is needed. What was traced or compiled before is forgotten.
    """
    if stream.seed is None:
        for name in HOOKED:
            if name in sys.modules:
                _hooks.append(importlib.import_module("samestep.frameworks._randomness_" + name))
                _hooks[-1].install()
    stream.seed, stream.plans = int(seed), (tuple(plan or ()), tuple(inference or ()))
    _restart()


def deactivate() -> None:
    """Programs draw from their own generators again."""
    if stream.seed is not None:
        end()
        for hooks in _hooks:
            hooks.uninstall()
        stream.seed, stream.plans = None, ((), ())
        _restart()
        del _hooks[:]


def begin(step: Any = INFERENCE) -> None:
    """A forward pass begins: after `step` updates in training mode, or in inference mode. Its next draw is its first.

    step: a number, or in traced code the framework's own integer. Nothing happens unless the stream is active.
    """
    if stream.seed is None:
        return
    stream.step, stream.number, stream.passing = step, 0, True
    stream.inference = isinstance(step, int) and step < 0
    if stream.noted is not None:
        del stream.noted[:]
    for hooks in _hooks:
        hooks.begin()


def end() -> None:
    """The pass and what belongs to it are over: what follows, such as the making of batches, draws for itself."""
    if stream.passing:
        stream.passing = False
        for hooks in _hooks:
            hooks.end()


@contextlib.contextmanager
def record() -> Iterator[List[Entry]]:
    """List the draws of the last forward pass within the block, as {"kind", "shape"} in order; a free size is -1.

    kind: uniform, bernoulli, normal, truncated_normal or exponential, of which Gumbel's are minus the logarithms. A draw within a
    compiled loop is listed once and has "loop": True; it comes from the program's own generator.
    """
    before = stream.seed, stream.plans
    activate(before[0] or 0)
    noted: List[Entry] = []
    stream.noted = noted
    try:
        yield noted
    finally:
        stream.noted = None
        if before[0] is None:
            deactivate()
        else:
            activate(before[0], *before[1])


def note(kind: str, shape: Sequence[Optional[int]], loop: bool = False) -> None:
    """Note a draw of this kind if draws are recorded."""
    if stream.noted is not None:
        entry: Entry = {"kind": kind, "shape": [-1 if size is None else int(size) for size in shape]}
        stream.noted.append(dict(entry, loop=True) if loop else entry)


def draw(kind: str, shape: Sequence[int]) -> Draw:
    """The next draw of the pass, for this shape."""
    note(kind, shape)
    stream.number += 1
    return placed(stream.plan, stream.number - 1, tuple(shape))


def placed(plan: Sequence[Optional[Entry]], number: int, shape: Tuple[int, ...]) -> Draw:
    """The draw that stands for this side's draw of this number and shape.

    Raises ProgramError where the plan is for a draw of another shape.
    """
    if not plan:
        return Draw(number, shape, tuple(range(len(shape))), False)
    entry = entry_of(plan, number)
    finer = _finer(entry.get("shape"), shape)
    axes = tuple(entry.get("axes") or range(len(finer)))
    if sorted(axes) != list(range(len(finer))):
        raise ProgramError(
            "the random draw {} has shape {}; its plan, made from another forward pass, has axes {}.\nA forward pass should make "
            "the same draws in each training step.".format(number, shape, axes)
        )
    drawn = tuple(finer[axes.index(axis)] for axis in range(len(axes)))
    return Draw(entry["draw"], drawn, axes, bool(entry.get("flip")))


def entry_of(plan: Sequence[Optional[Entry]], number: int) -> Entry:
    """A plan's entry for a draw; one that stands for no draw of the other side has a number that no other has."""
    entry = plan[number] if number < len(plan) else None
    return {"draw": OWN + number} if entry is None else entry


def threefry(key: Any, counter: Any, wrap: Any = lambda word: word & MASK, rotate: Any = None) -> Tuple[Any, Any]:
    """Threefry-2x32-20 of a key and a counter, two words each: integers, or arrays of them.

    Element i of a draw is word i % 2 of the block with the key (seed, step) and the counter (i // 2, number of the draw).
    wrap: takes an integer to its lowest 32 bits, where the arrays do not do so by themselves; rotate(word, bits): to the left.
    """
    rotate = rotate or (lambda word, bits: wrap(word << bits) | (word >> (32 - bits)))
    keys = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    a, b = wrap(counter[0] + keys[0]), wrap(counter[1] + keys[1])
    for turn in range(5):
        for bits in ROTATIONS[turn % 2]:
            a += b  # in place where arrays can do so: half of the time goes into new ones
            a = wrap(a)
            b = rotate(b, bits)
            b ^= a
        a = wrap(a + keys[(turn + 1) % 3])
        b = wrap(b + keys[(turn + 2) % 3] + (turn + 1))
    return a, b


def bits_of(dtype: str) -> int:
    """How many random bits b a uniform number of this type has: it is (2k + 1) / 2**(b + 1), k the first b bits of its word.

    No such number is 0 or 1, so that any logarithm is finite. With 19 bits none is as near to a multiple of 1/100 as rounding
    takes a rate, its complement or the complement's complement in float32: dropout keeps the same elements
    whichever of them a framework compares with, and in whichever precision.
    """
    return BITS.get(dtype, 19)


def _finer(wanted: Optional[Sequence[int]], shape: Tuple[int, ...]) -> Tuple[int, ...]:
    """A shape in finer axes, with the size that is left open."""
    if wanted is None:
        return shape
    total = known = 1
    for size in shape:
        total *= size
    for size in wanted:
        known *= size if size >= 0 else 1
    return tuple(size if size >= 0 else total // max(known, 1) for size in wanted)


def _restart() -> None:
    """What was traced or compiled before is forgotten."""
    global version
    version += 1
    for hooks in _hooks:
        hooks.forget()
