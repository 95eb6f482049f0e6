"""The states of the generators that any script may use: Python's `random` and NumPy's global one, as bytes in place.

A state is read at every update, so it is looked at where it lies in memory; where that cannot be trusted, it is copied.
"""

from __future__ import annotations

import ctypes
import random
import sys
from typing import Any, Callable, List

import numpy as np

from samestep.recording.recorder import GENERATOR, Entry, Generator

WORDS = 624
"""Of a Mersenne Twister's state, 32 bits each; its position is the 625th."""

Reader = Callable[[], Any]


def generators() -> List[Generator]:
    """Each generator's entry and the function that gives its state's bytes."""
    readers = {"python": _pythons(), "numpy": _numpys()}
    return [(Entry(GENERATOR, name, "uint8", ((WORDS + 1) * 4,)), reader) for name, reader in readers.items()]


def _pythons() -> Reader:
    """CPython's Random object: its head, the position as an int, the words (Modules/_randommodule.c)."""
    inst = getattr(random, "_inst", None)
    place, size = id(inst) + object.__basicsize__, (WORDS + 1) * 4
    if type(inst) is random.Random and sys.implementation.name == "cpython":
        seen = np.frombuffer(ctypes.string_at(place, size), np.uint32)
        if np.array_equal(seen, np.roll(np.array(random.getstate()[1], np.uint32), 1)):
            return _in_place(inst, place, size)
    return lambda: np.array(random.getstate()[1], np.uint32)


def _numpys() -> Reader:
    """NumPy's MT19937: the words, and the position as an int (numpy/random/src/mt19937/mt19937.h)."""
    kind, words, position = _numpys_state()
    with_address = getattr(getattr(np.random.mtrand, "_rand", None), "_bit_generator", None)
    if kind == "MT19937" and with_address is not None:
        place, size = with_address.ctypes.state_address, (WORDS + 1) * 4
        seen = np.frombuffer(ctypes.string_at(place, size), np.uint32)
        if np.array_equal(seen, np.append(words, np.uint32(position))):
            return _in_place(with_address, place, size)
    return _copied


def _in_place(owner: Any, place: int, size: int) -> Reader:
    """The bytes there, whatever they are when they are looked at; their owner is kept alive as long."""
    state = owner, (ctypes.c_char * size).from_address(place)
    return lambda: state[1]


def _copied() -> Any:
    words, position = _numpys_state()[1:]
    return np.append(np.asarray(words), np.uint32(position))


def _numpys_state() -> Any:
    """(kind, words, position)."""
    state: Any = np.random.get_state()
    return state[:3]
