"""What was found, in plain words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy.stats import fisher_exact

from samestep.repeating.power import chance, fewest
from samestep.repeating.samples import Sample

if TYPE_CHECKING:
    from samestep.repeating.comparing import Finding, Question
    from samestep.repeating.deciding import Look
    from samestep.results import Comparative


def group(sample: Sample) -> str:
    """What a person should know of a group."""
    finite, said = sample.finite, []
    for seeds, what in ((sample.diverged, "diverged"), (tuple(sorted(sample.errors)), "failed")):
        if seeds:
            said.append(f"{len(seeds)} of {len(sample.seeds)} trainings {what} ({_seeds(seeds)})")
    if said:
        said.append("mean and interval are of the others" if finite else "there is no mean")
    if len(finite) == 1:
        said.append("one value says nothing of the spread")
    if len(finite) > 1 and len(set(finite.values())) == 1:
        said.append("every seed gives the same value, so the seed may not reach the training")
    return "; ".join(said)


def looks(look: Look) -> str:
    """How often was looked."""
    seeds = ", ".join(str(count) for count in look.plan[: look.number + 1])
    return (
        f"Looked {_times(look.number + 1)}, at {seeds} seeds a group, of at most {look.plan[-1]}: "
        "p-values, intervals and verdicts hold for all looks together."
    )


def comparison(
    left: Sample,
    right: Sample,
    question: Question,
    found: Finding,
    verdict: Comparative,
    repeats: int | None,
    level: float,
) -> str:
    """The answer, what became of trainings without a value, how pairs were made, and what more seeds would do."""
    said = [_answer(left.name, right.name, question, found, verdict), _lost(left, right, question, found)]
    if found.comparisons > 1:
        said.append(f"Corrected for {found.comparisons} comparisons, p = {found.p:.2g}.")
    if found.two.paired:
        said.append(
            "Runs of the same seed were compared" + ("." if question.paired else ", as their values go together.")
        )
    if verdict == "not enough evidence":
        said.append(_more(question, found, repeats, level))
    return " ".join(part for part in said if part)


def _answer(left: str, right: str, question: Question, found: Finding, verdict: Comparative) -> str:
    seen = _seen(right, question.sign, found)
    if verdict == "equivalent":
        there = f" It is there all the same: {seen}." if found.p <= 0.05 else ""
        apart = f"their difference of {number(abs(found.difference), found.ci95)} is within the margin of {question.margin:g}"
        return f"{left} and {right} are equivalent: {apart}.{there}"
    if verdict == "not enough evidence":
        return f"Not enough evidence: {seen}."
    ahead = question.sign * found.difference * (1 if verdict == "better" else -1) > 0
    said = seen if ahead and found.p <= 0.05 else f"{right} is {verdict}"
    winner, loser, share = (
        (right, left, found.improvement) if verdict == "better" else (left, right, 1 - found.improvement)
    )
    but = ": in" if share >= 0.5 else ", although in only"
    return f"{said}{but} {round(100 * share)} of 100 pairs of runs {winner} beats {loser}."


def _seen(right: str, sign: int, found: Finding) -> str:
    """The difference and its interval, counted in the direction in which the difference is positive."""
    if math.isnan(found.difference):
        return "there are fewer than two runs with a value on a side"
    if found.difference == 0:
        return f"the means are the same{_between(found.ci95)}"
    ends = found.ci95 if found.difference > 0 else (-found.ci95[1], -found.ci95[0])
    word = "better" if sign * found.difference > 0 else "worse"
    apart = number(abs(found.difference), found.ci95)
    return f"{right} is {word} by {apart}{_between(ends)}"


def _between(ends: tuple[float, float]) -> str:
    if not all(math.isfinite(end) for end in ends):
        return ""
    return f" (95 % interval {number(ends[0], ends)} to {number(ends[1], ends)})"


def number(value: float, ends: tuple[float, float]) -> str:
    """With as many digits as the width of its interval lets matter."""
    half = (ends[1] - ends[0]) / 2
    digits = math.ceil(-math.log10(half / 2)) if 0 < half < math.inf else 99
    if value and abs(value) < 0.5 * 10.0**-digits:
        return f"{value:.1g}"
    return f"{value:.{max(digits, 0)}f}" if digits <= 8 else f"{value:.4g}"


def _lost(left: Sample, right: Sample, question: Question, found: Finding) -> str:
    if found.p_all is None:
        return ""
    counts = ", ".join(f"{side.name} {side.lost} of {len(side.seeds)}" for side in (left, right))
    table = [[side.lost, len(side.seeds) - side.lost] for side in (left, right)]
    luck = f"as unequal by luck in {_percent(float(fisher_exact(table).pvalue))} of cases"
    said = f"Without a finite value: {counts} ({luck}). "
    said += f"Counted as the worst, they give p = {found.p_all:.2g}; left out, p = {found.p:.2g}."
    opposed = found.p <= 0.05 and found.p_all <= 0.05 and question.sign * found.difference * found.sign_all < 0
    if opposed:
        said += " The two speak for different sides: which of them counts is yours to say."
    if left.errors or right.errors:
        said += " Failed runs may have any reason: mend it and run them again."
    return said


def _more(question: Question, found: Finding, repeats: int | None, level: float) -> str:
    """What more seeds would do; nothing where it is not for want of seeds."""
    if question.look is not None and question.look.seeds < question.look.plan[-1]:
        return f"The next look is at {question.look.plan[question.look.number + 1]} seeds each."
    counts = (len(found.two.left), len(found.two.right))
    least = fewest(found.two.paired, level)
    if min(counts) < least:
        return f"So few seeds cannot decide anything: {least} each are the least."
    if found.p <= 0.05 or not found.deviation > 0:
        return ""
    return _power(question, found, repeats, level, math.floor(2 / (1 / counts[0] + 1 / counts[1])))


def _power(question: Question, found: Finding, repeats: int | None, level: float, each: int) -> str:
    seen = round(10 * chance(found.difference / found.deviation, each, found.two.paired, level))
    size = number(abs(found.difference), found.ci95)
    tries = f"{seen} of 10" if seen else "fewer than 1 of 10"
    said = f"With {each} seeds each, a difference of {size} is seen in {tries} tries"
    within = ", or that it is within the margin," if question.margin else ""
    if repeats is None:
        return f"{said}; no number of seeds up to a million would show it."
    return f"{said}; to see it{within} in {10 * question.power:g} of 10, about {repeats} seeds each would be needed."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _seeds(seeds: tuple[int, ...]) -> str:
    shown = ", ".join(str(seed) for seed in seeds[:5]) + (", …" if len(seeds) > 5 else "")
    return f"seed{'s' if len(seeds) > 1 else ''} {shown}"
