"""What counts of what a script prints: lines without times, rates, dates, addresses and names that are new in every run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.checking import tables
from samestep.checking.tables import MASK, NEAR_NOW

MOST_READINGS = 200
"""Readings of a clock that printed numbers are compared with."""
FEW_READINGS, SURELY = 50, 0.02
"""Readings that a count a second is looked for in, and how near to a whole number such a count has to be known."""
BY_CHANCE = 5e-3
"""The chance above which a result might be taken for a time: two numbers of few digits, and many readings."""
Clocks = Mapping[str, Sequence[float]]
"""{clock: its readings, in order}."""
_TIMES = (
    r"\d{4}-\d\d-\d\d[T_ -]\d\d-\d\d(-\d\d)?([-.,]\d+)?",  # as names of folders have them
    r"\d{4}-\d\d-\d\d([T_ ]\d\d:\d\d(:\d\d)?([.,]\d+)*)?(Z|[+-]\d\d:?\d\d)?",  # dates
    r"\b\d{1,2}:\d\d:\d\d([.,]\d+)*",  # times of day and durations
    r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} ",
    r"\b(0?[1-9]|[12]\d|3[01])[/.](0?[1-9]|1[0-2])[/.]20\d\d\b",  # days first
    r"(?<!\d)20\d{6}[-_T]?\d{6}(?!\d)",  # as names of runs and files have it
    r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} \d{1,2}:\d\d\b",
    r"\b\d+ ?m(in(ute)?s?)? \d+([.,]\d+)? ?s(ec(ond)?s?)?\b",
    r"[-+]?\d+([.,]\d+)*(e[-+]?\d+)?\s*(ns|us|µs|ms|s|sec|secs|seconds?|min(?!\W*\d)|mins|minutes?|hours?)(/\w+)?\b",
    r"\b\d+([.,]\d+)*\s*([KMG]i?B|bytes)\b",
    r"\b\d+([.,]\d+)*\s*(\w+/s(ec(ond)?)?|fps|ips)\b",
)
_NAMES = (
    r"0x[0-9a-fA-F]{4,}",
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    r"(/[\w.-]+)*/tmp\w*(/[\w.+-]+)*",
)
_LABELLED = re.compile(
    r"((?<![A-Za-z_])("
    r"(run|job|experiment|exp|trial|session|process|worker|thread|git|build)?[ _-]?"
    r"(uuid|pid|times?|timestamp|elapsed|took|duration|runtime|seconds|secs|started|finished|date|host|port|wall|"
    r"uptime|fps|speed|throughput|(\w+_)?per_s(ec(ond)?)?|rate/s|saved|wrote|written|logdir|(peak[ _-]?)?mem(ory)?|rss)|"
    r"(fit|score|train|training|test|eval|val|epoch|step|batch|wall|cpu|total|load|forward|backward|compile)"
    r"[ _-](times?|seconds|secs|duration)|"
    r"(run|job|experiment|exp|trial|session|process|worker|thread|git|build)[ _-]?(id|name|token))"
    r"(_per_[a-z]+)?(?![A-Za-z_])['\"]?\s*(=|:|is|at|to|in|as|after)?\s*)"
    r"((array\()?\[[-+\d.,e\s]*\]\)?|'[^']*\d[^']*'|\"[^\"]*\d[^\"]*\"|"
    r"[^\s,;|=]*\d[^\s,;|=]*(,\d{3}(?![\d.])[^\s,;|=]*)*|\b[0-9a-f]{6,}\b|'[^']*'|\"[^\"]*\")"
    r"|((?<![A-Za-z])(run|experiment|exp|id|token|name)['\"]?\s*[=:]?\s*)['\"]?\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b",
    re.IGNORECASE,
)
_TAGGED = re.compile(
    r"(['\"](tag|name|metric|key)['\"]:\s*['\"][^'\"]*(time|seconds?|_secs?|per_s|fps|duration|elapsed|speed|throughput|_ms)"
    r"[^'\"]*['\"],\s*['\"]value['\"]:\s*)[-+\d.e]+",
    re.IGNORECASE,
)
_BY_NAME = _LABELLED.groups - 1
_MASKED = re.compile("|".join(f"({pattern})" for pattern in (*_TIMES, *_NAMES)))
_SUSPECT = re.compile(r"[\d'\"]|/tmp")
"""What every time or name has; most lines of long outputs have it not, and need no closer look."""
_SINCE_1970 = re.compile(r"(?<![\d.])(1[6-9]\d{8})(\.\d+|\d{3}|\d{9})?(?!\d)")
"""Seconds, milliseconds or nanoseconds."""
_TYPES = ("np", "float64", "float32", "array", "tensor", "numpy", "torch", "jnp", "Array", "Tensor")
_FRAMEWORKS_LOG = re.compile(r"^([IWEF]\d{4} \S+ +\d+ \S+:\d+\]|WARNING: All log messages before absl)")
_PROGRESS = re.compile(r"^\s*(\d+)/(\d+|Unknown)\s+(\S*━|\[[=>.])")
_BAR = re.compile(r"\d+%\|")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{6,}(?![0-9A-Za-z])")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|\b(nan|inf)\b", re.IGNORECASE)
_ALONE = re.compile(rf"(?<![\w.])(?<!\w-)(?:{_NUMBER.pattern})(?!\w)", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@lru_cache(maxsize=4)
def lines(text: str) -> tuple[str, ...]:
    """The lines that count, with what differs in every run masked."""
    return tuple(masked(line) for line in tables.without_times(as_shown(text)) if not _is_progress(line))


def as_shown(text: str) -> list[str]:
    """The lines as a terminal leaves them, without empty ones and those of TensorFlow's own log."""
    return [line for line in _split(text) if line.strip() and not _FRAMEWORKS_LOG.match(line)]


def _split(text: str) -> Iterator[str]:
    """Lines as a terminal would leave them: what was written over is gone."""
    for line in _ESCAPES.sub("", text).split("\n"):
        yield next((part for part in reversed(re.split("[\r\b]+", line)) if part.strip()), "")


def _is_progress(line: str) -> bool:
    """Whether it is a bar on its way, of which there are as many as there was time for."""
    found = _PROGRESS.match(line)
    return bool(_BAR.search(line)) or bool(found and found[1] != found[2])


def masked(line: str) -> str:
    """A line without times and names."""
    if not _SUSPECT.search(line):
        return line.rstrip()
    line = _TAGGED.sub(r"\1" + MASK, line)
    line = _MASKED.sub(MASK, _SINCE_1970.sub(_if_near_now, line))
    return _LABELLED.sub(lambda found: (found[1] or found[_BY_NAME]) + MASK, line).rstrip()


def _if_near_now(found: re.Match[str]) -> str:
    """A number of this length may be a result too."""
    return MASK if abs(int(found[1]) - time.time()) < NEAR_NOW else found[0]


def without(line: str, numbers: frozenset[str], names: Sequence[str] = ()) -> str:
    """A line in which these numbers are masked, such as those of processes, and parts of these names of hexadecimal digits."""
    line = re.sub(r"\b\d+\b", lambda found: MASK if found[0] in numbers else found[0], line)
    if not names:
        return line
    return _HEXADECIMAL.sub(lambda found: MASK if any(found[0] in name for name in names) else found[0], line)


def is_number(word: str) -> bool:
    """Whether all of a word is one."""
    return bool(_NUMBER.fullmatch(word))


def last_number(text: str) -> tuple[str, float] | None:
    """What comes before the last number that counts, and the number: the final metric, if a script prints one."""
    for line in reversed(lines(text)):
        found = list(_ALONE.finditer(line))
        if found:
            name = [word for word in re.findall(r"[A-Za-z_]\w*", line[: found[-1].start()]) if word not in _TYPES]
            return (name[-1] if name else "printed"), float(found[-1][0])
    return None


def only_times(left: str, right: str, ours: Clocks, theirs: Clocks) -> bool:
    """Whether two lines differ in numbers alone, each of which is the time between the same two readings of a clock in both."""
    left, right = (_THOUSANDS.sub("", line) for line in (left, right))
    numbers = [[found[0] for found in _NUMBER.finditer(line)] for line in (left, right)]
    if _NUMBER.sub(MASK, left) != _NUMBER.sub(MASK, right) or len(numbers[0]) != len(numbers[1]):
        return False
    return all(one == other or _is_time(one, other, ours, theirs) for one, other in zip(*numbers, strict=True))


def _is_time(one: str, other: str, ours: Clocks, theirs: Clocks) -> bool:
    digits = min(len(re.sub(r"[eE].*|\D", "", number).lstrip("0")) for number in (one, other))
    for clock in ours.keys() & theirs.keys():
        count = min(len(ours[clock]), len(theirs[clock]), MOST_READINGS)
        pairs = next((pairs for pairs in _pairs(count) if pairs.sum() * 10.0 ** (-2 * digits) < BY_CHANCE), None)
        for scale in (1e-9, 1e-6, 1e-3) if clock.endswith("_ns") else (1, 1e3, 1e6):
            near = (
                _near(number, _between(readings[clock][:count]) * scale)
                for number, readings in ((one, ours), (other, theirs))
            )
            if pairs is not None and np.any(pairs & next(near) & next(near)):
                return True
    return any(_is_rate(one, other, ours[clock], theirs[clock]) for clock in ours.keys() & theirs.keys())


def _is_rate(one: str, other: str, ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether two numbers are the same count a second, for the same two readings."""
    count = min(len(ours), len(theirs), FEW_READINGS)
    values = [float(number) for number in (one, other)]
    exact = [_half_of_last(number) / (abs(float(number)) or 1.0) for number in (one, other)]
    with np.errstate(all="ignore"):
        counts = [value * _between(readings[:count]) for value, readings in zip(values, (ours, theirs), strict=True)]
        whole = np.round(counts[0])
        near = [
            np.abs(some - whole) < np.maximum(whole * error, 1e-9) for some, error in zip(counts, exact, strict=True)
        ]
        sure = (whole > 0) & (whole * max(exact) < SURELY)
    return bool(np.any(near[0] & near[1] & sure))


def _pairs(count: int) -> Iterator[NDArray[np.bool_]]:
    """Which readings a printed time may lie between: any two, else those one after another, and from the first."""
    earlier, later = np.indices((count, count))
    yield earlier < later
    yield (later == earlier + 1) | (earlier == 0) & (later > 0)


def _between(readings: Sequence[float]) -> NDArray[Any]:
    """(readings, readings): the times from one to another."""
    values: NDArray[np.float64] = np.array(readings, dtype=float)
    return values[None, :] - values[:, None]


def _near(number: str, times: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of these times are printed as the number."""
    near: NDArray[np.bool_] = np.abs(times - float(number)) <= _half_of_last(number) + 1e-9 * abs(float(number))
    return near


def _half_of_last(number: str) -> float:
    """What rounding to its last digit may have changed in a number."""
    mantissa, _, exponent = number.lower().partition("e")
    return 0.51 * float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))
