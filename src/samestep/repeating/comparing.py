"""Is one sample better than another? What is found, and the verdict."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata, ttest_ind, ttest_rel
from statsmodels.stats.multitest import multipletests

from samestep.repeating import wording
from samestep.repeating.deciding import Look
from samestep.repeating.power import fewest, needed
from samestep.repeating.resampling import Floats, Permutations, paired_by_seed, unpaired
from samestep.repeating.samples import Sample, Two, go_together, side_by_side
from samestep.results import Comparative, Comparison

ERROR = 0.05
"""How often no difference may be taken for one, and a difference beyond the margin for equivalence."""


@dataclass(frozen=True)
class Question:
    """What judge is asked, beside the values."""

    higher_is_better: bool
    margin: float | None
    power: float
    paired: bool | None
    seed: int
    look: Look | None

    @property
    def sign(self) -> int:
        """1 where higher is better, −1 where lower is."""
        return 1 if self.higher_is_better else -1

    @property
    def level(self) -> float:
        """Of a single test."""
        return ERROR if self.look is None else self.look.level(ERROR)

    def p_value(self, nominal: float) -> float:
        """Of the whole sequence of looks, where there is one."""
        return nominal if self.look is None else self.look.p_value(nominal)


@dataclass(frozen=True)
class Finding:
    """What two samples show.

    difference, ci95, deviation (the standard deviation that effects are measured in) and p are of the trainings that ended
    well. p_all is of all of them, those without a finite value counting as the worst, and sign_all the side that it speaks
    for; None where every one ended well. comparisons: for how many the p-values are corrected.
    """

    two: Two
    difference: float
    ci95: tuple[float, float]
    deviation: float
    improvement: float
    p: float
    p_equivalent: float | None
    p_all: float | None
    sign_all: float
    comparisons: int = 1

    @property
    def effect(self) -> float | None:
        """Hedges' g; of pairs, in standard deviations of their differences. None where nothing varies."""
        if not self.deviation > 0:
            return None
        freedom = len(self.two.left) - 1 + (0 if self.two.paired else len(self.two.right) - 1)
        return self.difference / self.deviation * (1 - 3 / (4 * freedom - 1))


def compare(first: Sample, others: Sequence[Sample], question: Question) -> tuple[Comparison, ...]:
    """Each of the others with the first, their p-values corrected for their number."""
    findings = _corrected([_find(first, other, question) for other in others])
    level = question.level / max(len(findings), 1)
    return tuple(
        _comparison(first, other, question, found, level) for other, found in zip(others, findings, strict=True)
    )


def _comparison(left: Sample, right: Sample, question: Question, found: Finding, level: float) -> Comparison:
    verdict = _verdict(found, question, bool(left.errors or right.errors))
    p_all = found.p if found.p_all is None else found.p_all
    contested = verdict == "not enough evidence" and found.p <= ERROR
    repeats = None if contested else _needed(found, question, level)
    return Comparison(
        left=left.name,
        right=right.name,
        paired=found.two.paired,
        difference=found.difference,
        ci95=found.ci95,
        p_value=max(found.p, p_all) if left.errors or right.errors else p_all,
        probability_of_improvement=found.improvement,
        effect_size=found.effect,
        verdict=verdict,
        repeats_needed=repeats,
        margin=question.margin,
        p_equivalent=found.p_equivalent,
        note=wording.comparison(left, right, question, found, verdict, repeats, level),
    )


def _verdict(found: Finding, question: Question, failed: bool) -> Comparative:
    """A diverged training is a result, and counts; a failed one may have any reason, and must not make a difference."""
    if found.p_all is None and found.p_equivalent is not None and found.p_equivalent <= ERROR:
        return "equivalent"
    ended_well = spoken_for(found.p, question.sign * found.difference)
    if found.p_all is None:
        return ended_well
    every = spoken_for(found.p_all, found.sign_all)
    agreed = every == ended_well or (ended_well == "not enough evidence" and not failed)
    return every if agreed else "not enough evidence"


def spoken_for(p_value: float, side: float) -> Comparative:
    """The verdict of one test: side is positive where right is ahead."""
    if p_value > ERROR:
        return "not enough evidence"
    return "better" if side > 0 else "worse"


def _needed(found: Finding, question: Question, level: float) -> int | None:
    if found.deviation > 0:
        margin = question.margin / found.deviation if question.margin else None
        return needed(found.difference / found.deviation, found.two.paired, level, question.power, margin)
    return fewest(found.two.paired, level) if abs(found.difference) > 0 else None


def _find(left: Sample, right: Sample, question: Question) -> Finding:
    paired = question.paired
    if paired is None:  # one look at the values must not choose the test of the next
        paired = question.look is None and go_together(left, right)
    two = side_by_side(left, right, paired, question.sign)
    test = _permuted(paired, two.left, two.right, question.seed)
    lost = bool(np.isneginf([*two.all_left, *two.all_right]).any())
    p_all, sign_all = _ranked(two, question.seed) if lost else (None, 0.0)
    return Finding(
        two=two,
        difference=test.estimate if test else math.nan,
        ci95=_interval(two, test, question.level),
        deviation=_deviation(two) if test and test.error > 0 else math.nan,
        improvement=_improvement(two),
        p=question.p_value(test.p_value()) if test else 1.0,
        p_equivalent=question.p_value(_beyond(test, question.margin)) if test and question.margin else None,
        p_all=None if p_all is None else question.p_value(p_all),
        sign_all=sign_all,
    )


def _permuted(paired: bool, left: Floats, right: Floats, seed: int) -> Permutations | None:
    if min(len(left), len(right)) < 2:
        return None
    return (paired_by_seed if paired else unpaired)(left, right, seed)


def _ranked(two: Two, seed: int) -> tuple[float, float]:
    """P-value and side of all trainings, those without a finite value being equally the worst: the same test on ranks."""
    if two.paired:
        with np.errstate(invalid="ignore"):
            differences = np.nan_to_num(two.all_right - two.all_left, nan=0.0, posinf=math.inf, neginf=-math.inf)
        ranks = np.sign(differences) * rankdata(np.abs(differences))
        left, right = np.zeros(len(ranks)), ranks
    else:
        ranks = rankdata(np.concatenate([two.all_left, two.all_right]))
        left, right = ranks[: len(two.all_left)], ranks[len(two.all_left) :]
    test = _permuted(two.paired, left, right, seed)
    return (test.p_value(), test.estimate) if test else (1.0, 0.0)


def _interval(two: Two, test: Permutations | None, level: float) -> tuple[float, float]:
    """What the permutations do not refute; where so few can refute nothing, Student's t stands in."""
    if test is None:
        return -math.inf, math.inf
    low, high = test.interval(level)
    if (math.isfinite(low) and math.isfinite(high)) or test.error == 0.0:
        return low, high
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # values that hardly vary
        student = ttest_rel(two.right, two.left) if two.paired else ttest_ind(two.right, two.left, equal_var=False)
    low, high = student.confidence_interval(1 - level)
    return float(low), float(high)


def _improvement(two: Two) -> float:
    """How often a training of right's beats one of left's, or that of the same seed; ties count half. NaN: there is none."""
    if not min(len(two.all_left), len(two.all_right)):
        return math.nan
    pairs = (two.all_right, two.all_left) if two.paired else (two.all_right[:, np.newaxis], two.all_left)
    return float(np.mean((pairs[0] > pairs[1]) + 0.5 * (pairs[0] == pairs[1])))


def _deviation(two: Two) -> float:
    """Of the differences of pairs; else of both groups, pooled."""
    if two.paired:
        return float(np.std(two.right - two.left, ddof=1))
    squares = sum(float(side.var()) * len(side) for side in (two.left, two.right))
    return math.sqrt(squares / (len(two.left) + len(two.right) - 2))


def _beyond(test: Permutations, margin: float) -> float:
    """Of a difference of the margin or more, either way: two one-sided tests."""
    return max(test.p_greater(-margin), test.p_less(margin))


def _corrected(findings: Sequence[Finding]) -> list[Finding]:
    """Holm's correction of each kind of p-value."""
    if len(findings) < 2:
        return list(findings)
    columns: list[dict[str, Any]] = [{"comparisons": len(findings)} for _ in findings]
    for kind in ("p", "p_all", "p_equivalent"):
        there = [at for at, found in enumerate(findings) if getattr(found, kind) is not None]
        if there:
            holm = multipletests([getattr(findings[at], kind) for at in there], method="holm")[1]
            for at, p_value in zip(there, holm, strict=True):
                columns[at][kind] = float(p_value)
    return [replace(found, **changes) for found, changes in zip(findings, columns, strict=True)]
