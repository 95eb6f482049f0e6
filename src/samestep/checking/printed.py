"""What counts of what a script prints: lines without times, rates, dates, addresses and names that are new in every run."""

from __future__ import annotations

import re
from collections.abc import Iterator

MASK = "…"
_TIMES = (
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?([.,]\d+)*)?(Z|[+-]\d\d:?\d\d)?",  # dates
    r"\b\d{1,2}:\d\d:\d\d([.,]\d+)*",  # times of day and durations
    r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} ",
    r"[-+]?\d[\d.,]*(e[-+]?\d+)?\s*(ns|us|µs|ms|s|sec|secs|seconds?|min|mins|minutes?|hours?)(/\w+)?\b",
    r"\b\d[\d.,]*\s*(it|steps?|samples?|batch(es)?|rows?|examples?|img|images?)/s(ec)?\b",
    r"\b1[6-9]\d{8}(\.\d+)?\b",  # seconds since 1970
    r"\b1[6-9]\d{11}\b|\b1[6-9]\d{17}\b",  # milliseconds and nanoseconds since then
)
_NAMES = (
    r"0x[0-9a-fA-F]{4,}",
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    r"(/[\w.-]+)*/tmp\w*(/[\w.+-]+)*",
)
_LABELLED = re.compile(
    r"(\b(run|job|experiment|exp|trial|session|process|worker|thread|git|build)?[ _-]?"
    r"(id|uuid|pid|name|token|time|timestamp|elapsed|took|duration|runtime|seconds|secs|started|finished|date|now|host|port|"
    r"speed|throughput|rate/s|saved|wrote|written|logdir|memory|rss)\b\s*(=|:|is|at|to|in|as|after)?\s*)"
    r"(\S*\d\S*|\b[0-9a-f]{6,}\b|'[^']*'|\"[^\"]*\")",
    re.IGNORECASE,
)
_MASKED = re.compile("|".join(f"({pattern})" for pattern in (*_TIMES, *_NAMES)))
_PROGRESS = re.compile(r"^\s*(\d+)/(\d+|Unknown)\s+\S*[━=>.\-]")
_BAR = re.compile(r"\d+%\|")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|\b(nan|inf)\b", re.IGNORECASE)


def lines(text: str) -> list[str]:
    """The lines that count, with what differs in every run masked."""
    return [masked(line) for line in _split(text) if line.strip() and not _is_progress(line)]


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
    return _LABELLED.sub(lambda found: found[1] + MASK, _MASKED.sub(MASK, line)).rstrip()


def without(line: str, numbers: frozenset[str]) -> str:
    """A line in which these numbers are masked, such as those of processes."""
    return re.sub(r"\b\d+\b", lambda found: MASK if found[0] in numbers else found[0], line)


def last_number(text: str) -> tuple[str, float] | None:
    """What comes before the last number that counts, and the number: the final metric, if a script prints one."""
    for line in reversed(lines(text)):
        found = list(_NUMBER.finditer(line))
        if found:
            name = re.findall(r"[A-Za-z_]\w*", line[: found[-1].start()])
            return (name[-1] if name else "printed"), float(found[-1][0])
    return None
