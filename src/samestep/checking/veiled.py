"""What is masked as a time, or is not compared, and is a result nevertheless: it follows the values that a run was given.

A number beside a word such as "time" may be one that was measured, or a result; a file of a kind that is not known may hold the
time of writing, or a model. Where such a thing is the same in a trial that is given all that chance gave another, and this for
two trials that differ, it is no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from samestep.checking import outcomes, printed
from samestep.checking.outcomes import PRINTED, VEILED, Found
from samestep.checking.trials import Trial

LEAST_DIGITS = 3
"""Of a number; one with fewer is the same by chance too often."""
_WORDS = re.compile(r"[^\s,;|=:%(){}\[\]\"']+")
ORDER = "order of lines"
Things = Mapping[str, str]
"""{where it is: what is there}."""


def of(trial: Trial) -> dict[str, str]:
    """All numbers that a trial printed or wrote into texts, digests of all other files, and the order of its lines."""
    found = {ORDER: "\n".join(printed.lines(trial.printed))}
    for stream, text in (("printed", trial.printed), ("log", trial.said)):
        found |= _numbers(stream, printed.as_shown(text))
    for key, file in outcomes.left_files(trial).items():
        wrote = outcomes.kept(trial, file.raw)
        if wrote is None:
            found[f"file {key}"] = file.raw
        else:
            found |= _numbers(f"file {key}", printed.as_shown(wrote))
    return found


def apart(left: Things, right: Things) -> set[str]:
    """Where they are not the same."""
    return {where for where in left.keys() & right.keys() if left[where] != right[where]}


def alike(left: Things, right: Things, among: set[str]) -> set[str]:
    """Where of these they are the same."""
    return {where for where in among if where in right and left[where] == right[where]}


def difference(left: Trial, right: Trial, counted: set[str]) -> Found | None:
    """The first of the places that count at which two trials differ."""
    if not counted:
        return None
    ours, theirs = of(left), of(right)
    where = next((place for place in ours if place in counted and ours[place] != theirs.get(place)), None)
    if where is None:
        return None
    if where == ORDER:
        lines = zip(*(told[ORDER].split("\n") for told in (ours, theirs)), strict=False)
        number, (one, other) = next((n, pair) for n, pair in enumerate(lines) if pair[0] != pair[1])
        return Found((PRINTED, number), "printed line", str(number + 1), None, one, other)
    what, _, name = where.partition(" ")
    return Found((VEILED, 0), what, name, None, ours[where], theirs.get(where))


def _numbers(stream: str, lines: list[str]) -> dict[str, str]:
    return {f"{stream} line {line + 1}, word {word + 1}": told for line, word, told in _words(lines)}


def _words(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    for line, text in enumerate(lines):
        for word, found in enumerate(_WORDS.findall(text)):
            if printed.is_number(found) and len(re.sub(r"[eE].*|\D", "", found).lstrip("0")) >= LEAST_DIGITS:
                yield line, word, found
