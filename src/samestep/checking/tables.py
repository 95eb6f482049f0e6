"""Times where no word beside them tells that they are some: in columns of tables, and in pickles."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

MASK = "…"
NEAR_NOW = 2 * 86400
"""Seconds within which a number is taken for the time of a run."""
UNITS = (1, 1e-3, 1e-6, 1e-9)
_OF_TIME = re.compile(
    r"(^|[^a-z])(times?|timestamp|seconds?|secs?|ms|elapsed|duration|runtime|date|wall|latency|speed|throughput|fps|per_s\w*)"
    r"($|[^a-z])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?(\d[\d.,]*|\.\d+)(e[-+]?\d+)?%?", re.IGNORECASE)


def columns_of_times(names: Sequence[str]) -> list[int]:
    """Which of the columns of these names hold times, dates or rates."""
    return [number for number, name in enumerate(names) if _OF_TIME.search(name)]


def rows(lines: Sequence[str], separator: str) -> list[str]:
    """The rows of a file that begins with the names of its columns, without what is in columns of times."""
    names = lines[0].split(separator) if lines else []
    places = columns_of_times(names)
    return [_without_cells(line, places, len(names), separator) for line in lines]


def _without_cells(line: str, places: Sequence[int], count: int, separator: str) -> str:
    cells = line.split(separator)
    if len(cells) == count and any(map(str.isdigit, line)):
        cells = [MASK if number in places else cell for number, cell in enumerate(cells)]
    return separator.join(cells)


def without_times(lines: Sequence[str]) -> Iterator[str]:
    """Printed lines, those below a line of names without times and shares of them; a row may have a name of its own first."""
    names: list[str] = []
    for line in lines:
        words = line.split()
        if len(words) > 1 and not any(map(str.isdigit, line)) and columns_of_times(words):
            names = words
        elif names and len(words) - len(names) in (0, 1) and all(map(_NUMBER.fullmatch, words[1:])):
            yield _without_words(words, len(words) - len(names), columns_of_times(names))
            continue
        else:
            names = []
        yield line


def _without_words(words: list[str], before: int, places: list[int]) -> str:
    hidden = [number - before in places or word.endswith("%") for number, word in enumerate(words)]
    return " ".join(MASK if hide else word for hide, word in zip(hidden, words, strict=True))


def pickled(data: bytes) -> bytes:
    """A pickle without the times in it that are near now: floats, integers of milliseconds to nanoseconds, dates."""
    year = re.escape(time.localtime().tm_year.to_bytes(2, "big"))
    data = re.sub(rb"G(.{8})", partial(_unless_now, _double), data, flags=re.DOTALL)
    data = re.sub(rb"\x8a(?:\x06(.{6})|\x07(.{7})|\x08(.{8}))", partial(_unless_now, _integer), data, flags=re.DOTALL)
    return re.sub(rb"C\n" + year + rb"[\x01-\x0c].{7}", b"", data, flags=re.DOTALL)


def _double(data: bytes) -> float:
    return float(struct.unpack(">d", data)[0])


def _integer(data: bytes) -> float:
    return float(int.from_bytes(data, "little"))


def _unless_now(number: Callable[[bytes], float], found: re.Match[bytes]) -> bytes:
    value = number(found[found.lastindex or 0])
    return b"" if any(abs(value * unit - time.time()) < NEAR_NOW for unit in UNITS) else found[0]
