"""What the values of many seeds say: each group's mean with its interval, and whether one group is better than another."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
from scipy.stats import bootstrap, norm
from scipy.stats import t as student

from samestep.errors import UsageError
from samestep.repeating import wording
from samestep.repeating.comparing import ERROR, Question, compare
from samestep.repeating.deciding import Look
from samestep.repeating.resampling import RESAMPLES, ROUNDING, Floats
from samestep.repeating.samples import Sample
from samestep.results import FailedSeed, Group, RepeatResult

BOOTSTRAPPED = 10
"""Values from which the interval of a mean is a bootstrap's; fewer tell the bootstrap less than they tell Student's t."""
HUGE = 1e100
"""Beyond which a value is as good as infinite."""
LOWER = re.compile(
    ".*loss|losses|.*error|errors|.*entropy|mse|mae|rmse|rmsle|msle|mape|smape|perplexity|ppl|nll|kl|divergence|regret|wer|cer"
    "|fid|brier|hinge|poisson|deviance|ece|distance|cost|bpc|bpd|latency|time|duration|seconds|runtime"
)
"""Words in the names of metrics that are better when lower."""


def judge(
    metric: str,
    values: Mapping[str, Mapping[int, float]],
    *,
    failed: Mapping[str, Mapping[int, str]] | None = None,
    higher_is_better: bool | None = None,
    margin: float | None = None,
    power: float = 0.8,
    paired: bool | None = None,
    engine: str = "",
    seed: int = 0,
    look: Look | None = None,
) -> RepeatResult:
    """Summarise each group, and compare each other one with the first.

    values: {group: {seed: value}}; a diverged training's value is NaN or infinite. failed: {group: {seed: error}}, trainings
    without a value. higher_is_better: None reads it from the metric's name. margin: a difference that does not matter, in the
    metric's own unit. power: how often repeats_needed seeds are to show the difference. paired: None pairs where values of the
    same seeds go together. seed: of the resampling. look: which look this is, where seeds are added until it is decided.
    Raises UsageError for no group, for a margin or power that is none, and for pairs of groups that share no seed.
    """
    _check(values, margin, power)
    first, *others = (_sample(name, values[name], (failed or {}).get(name, {})) for name in values)
    higher = higher_by_name(metric) if higher_is_better is None else higher_is_better
    comparisons = compare(first, others, Question(higher, margin, power, paired, seed, look))
    groups = tuple(_group(sample, seed) for sample in (first, *others))
    return RepeatResult(metric, groups, comparisons, engine, higher, "" if look is None else wording.looks(look))


def higher_by_name(metric: str) -> bool:
    """Is higher better? Losses, errors, distances and times are better when lower; a name that begins with neg turns it."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", metric).lower())
    lower = any(LOWER.fullmatch(word) for word in words)
    negated = bool(words) and words[0] in ("neg", "negative")
    return lower == negated


def _check(values: Mapping[str, Mapping[int, float]], margin: float | None, power: float) -> None:
    if not values:
        raise UsageError("there is nothing to judge: expected the values of at least one group.")
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise UsageError(
            f"margin {margin}: expected a difference above 0 that does not matter, in the metric's own unit."
        )
    if not 0 < power < 1:
        raise UsageError(
            f"power {power}: expected how often a difference is to be seen, above 0 and below 1, such as 0.8."
        )


def _sample(name: str, values: Mapping[int, float], errors: Mapping[int, str]) -> Sample:
    numbers = {int(seed): _bounded(float(value)) for seed, value in values.items()}
    return Sample(name, numbers, {seed: error for seed, error in errors.items() if seed not in numbers})


def _bounded(value: float) -> float:
    """The value; infinite where its square could not be told from it."""
    return value if not abs(value) > HUGE else math.copysign(math.inf, value)


def _group(sample: Sample, seed: int) -> Group:
    values = np.array(list(sample.finite.values()))
    return Group(
        name=sample.name,
        values=tuple(sample.values.get(at) for at in sample.seeds),
        seeds=sample.seeds,
        mean=float(values.mean()) if len(values) else math.nan,
        std=float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        ci95=mean_interval(values, seed),
        failed=tuple(FailedSeed(at, error) for at, error in sorted(sample.errors.items())),
        note=wording.group(sample),
    )


def mean_interval(values: Floats, seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean: Student's t below 10 values, then the bootstrap (BCa).

    The bootstrap's own interval is too narrow for few values; it is taken at the level that makes it as wide as t's where the
    values are normal (Hesterberg 2015, "What teachers should know about the bootstrap", expanded percentiles).
    """
    if len(values) < 2:
        return -math.inf, math.inf
    mean, std, count = float(values.mean()), float(values.std(ddof=1)), len(values)
    if std <= ROUNDING * abs(mean):
        return mean, mean
    critical = float(student.isf(ERROR / 2, count - 1))
    if count < BOOTSTRAPPED:
        half = critical * std / math.sqrt(count)
        return mean - half, mean + half
    level = 1 - 2 * float(norm.sf(critical * math.sqrt(count / (count - 1))))
    options = {"n_resamples": RESAMPLES, "batch": 1_000, "confidence_level": level, "method": "BCa"}
    found = bootstrap(((values - mean) / std,), np.mean, **options, random_state=seed).confidence_interval
    return mean + std * float(found.low), mean + std * float(found.high)
