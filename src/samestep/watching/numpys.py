"""NumPy's random generators, and its memory that is not initialised."""

from __future__ import annotations

import functools
import linecache
import sys
from typing import Any, List, Tuple

import numpy as np

from samestep.watching import memory, places
from samestep.watching.generators import Global, bits, drawing, trap
from samestep.watching.tape import Tape

NUMPYS = ("RandomState", "SeedSequence", "PCG64DXSM", "PCG64", "MT19937", "Philox", "SFC64", "Generator", "seed")
"""What a line may call that begins with random bits of NumPy's own, by the names under which they are told."""


def install(tape: Tape) -> List[Global]:
    """Watch them from now on; the one to look at when the process ends."""
    own = np.random.mtrand._rand
    original = own.seed

    def plant(number: int) -> None:
        original([number >> shift & 0xFFFFFFFF for shift in range(0, 128, 32)])

    shared = Global(tape, "numpy.random", lambda: _comparable(np.random.get_state()), plant)

    def seed(seed: Any = None) -> None:
        shared.note_seed()
        if seed is None:
            plant(tape.take("numpy.random.seed", bits))
        else:
            plain = isinstance(seed, (int, np.integer))
            original(tape.take("numpy.random.seed", lambda: int(seed), kind="seed") if plain else seed)

    np.random.seed = functools.wraps(original)(seed)
    trap({np.random: drawing(np.random, own)}, shared)
    _bits_of_numpy(tape)
    _default_rng(tape)
    for name in ("empty", "empty_like"):
        memory.watch(tape, np, name, "numpy." + name, np.zeros_like if name.endswith("like") else np.zeros)
    return [shared]


def _comparable(state: Any) -> Tuple[Any, ...]:
    return (state[1].tobytes(), *state[2:])


def _bits_of_numpy(tape: Tape) -> None:
    """All that NumPy seeds by itself asks one function for its bits (numpy/random/bit_generator.pyx)."""
    names = ("numpy.random.bit_generator", "numpy.random._bit_generator")
    module: Any = next((sys.modules[name] for name in names if name in sys.modules), None)
    if hasattr(module, "randbits"):
        module.randbits = lambda count: tape.take(_numpys_name(), lambda: bits(count // 8))


def _numpys_name() -> str:
    """The name of what the user's line calls, as far as it tells."""
    frame = places.caller(3)
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno) if frame is not None else ""
    if any(one.f_code.co_name == "default_rng" and one.f_code.co_filename == __file__ for one in _frames(frame)):
        return "numpy.random.default_rng"
    return "numpy.random." + next((name for name in NUMPYS if name in line), "SeedSequence")


def _frames(until: Any) -> Any:
    """The frames from here to the user's, which they are called from."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame is not until:
        yield frame
        frame = frame.f_back


def _default_rng(tape: Tape) -> None:
    original = getattr(np.random, "default_rng", None)
    if original is None:
        return

    def default_rng(seed: Any = None) -> Any:
        if isinstance(seed, (int, np.integer)) and places.called_by_user():
            seed = tape.take("numpy.random.default_rng", lambda: int(seed), kind="seed")
        return original(seed)

    np.random.default_rng = functools.wraps(original)(default_rng)
