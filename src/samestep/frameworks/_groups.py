"""How many seeds to train at once. No framework is imported."""

from __future__ import annotations

import os

CACHE = 8 << 20
"""Bytes of state that seeds trained at once on a processor may hold: more no longer stays in its cache from step to step."""


def width(seeds: int, state: int, step: int, in_cache: bool, free: int) -> int:
    """How many to train at once, so that so many seeds make few and even groups.

    state: bytes that each one carries from step to step; step: bytes that each one's step computes on its way. All of it, with
    what is kept of the step before, is to fit into half of the free bytes; the state into the cache, if in_cache.
    """
    most = min(CACHE // state if in_cache else seeds, free // 2 // (2 * state + step))
    return -(-seeds // -(-seeds // max(1, most)))


def free_memory() -> int:
    """Bytes of memory that could be had now: on Linux what the kernel calls available, elsewhere half of all."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) // 2
