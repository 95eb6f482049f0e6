"""Seeds are added until it is decided, and all looks together err no more often than one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from samestep.errors import UsageError
from samestep.repeating.deciding import decided, levels, plan
from samestep.repeating.statistics import judge


def until_decided(left, right, first, cap, **options):
    """The last result, and how many seeds a group it has."""
    for look in plan(first, cap):
        groups = (dict(enumerate(side[: look.seeds])) for side in (left, right))
        result = judge("accuracy", dict(zip(("left", "right"), groups, strict=True)), look=look, **options)
        if decided(result):
            break
    return result, look.seeds


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(0, 500))
def test_looks_begin_at_the_first_grow_and_end_at_the_cap(first, more):
    looks = plan(first, first + more)
    seeds = [look.seeds for look in looks]
    assert (seeds[0], seeds[-1]) == (first, first + more)
    assert seeds == sorted(set(seeds))
    assert [look.number for look in looks] == list(range(len(looks)))


@pytest.mark.parametrize(("first", "cap"), [(0, 10), (5, 4), (-1, -1)])
def test_a_cap_below_the_first_look_is_refused(first, cap):
    with pytest.raises(UsageError, match="cap"):
        plan(first, cap)


def test_one_look_spends_all_of_the_error():
    (look,) = plan(10, 10)
    assert look.level() == pytest.approx(0.05)
    assert look.p_value(0.0123) == pytest.approx(0.0123, rel=1e-3)


def test_the_levels_are_those_of_the_spending_function_in_the_literature():
    """Lan and DeMets 1983: an error of 5 %, two-sided, spent in proportion over five equal looks."""
    bounds = [float(norm.isf(level / 2)) for level in levels((1, 2, 3, 4, 5), 0.05)]
    assert bounds == pytest.approx([2.58, 2.49, 2.41, 2.34, 2.28], abs=0.006)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([(5, 8, 12, 18), (3, 30), (5, 6, 7, 8, 9, 10)]), st.sampled_from([0.01, 0.05, 0.3]))
def test_normal_sums_cross_the_bounds_as_often_as_the_error_says(seeds, error):
    steps = np.sqrt(np.diff(seeds, prepend=0))
    sums = np.cumsum(np.random.default_rng(0).normal(size=(40_000, len(seeds))) * steps, axis=1) / np.sqrt(seeds)
    crossed = (np.abs(sums) >= norm.isf(np.array(levels(seeds, error)) / 2)).any(axis=1)
    assert 0.001 < binom.cdf(crossed.sum(), len(crossed), error) < 0.999
    uncorrected = (np.abs(sums) >= norm.isf(error / 2)).any(axis=1)
    assert binom.sf(uncorrected.sum() - 1, len(crossed), error) < 0.001


def test_p_values_of_a_look_agree_with_its_level():
    for look in plan(5, 60):
        assert look.p_value(look.level()) == pytest.approx(0.05)
        assert look.p_value(look.level() * 1.01) > 0.05
        assert look.p_value(look.level() / 1.01) < 0.05
        assert look.p_value(look.level(0.3)) == pytest.approx(0.3, rel=0.02)
        assert look.p_value(1.0) == 1.0


def test_all_looks_together_err_as_often_as_one():
    random, claims = np.random.default_rng(0), 0
    for _ in range(80):
        left, right = random.normal(size=(2, 12)).tolist()
        claims += decided(until_decided(left, right, 4, 12)[0])
    assert binom.sf(claims - 1, 80, 0.05) > 0.001


def test_a_large_difference_is_decided_early_and_the_looks_are_told():
    left = np.random.default_rng(0).normal(0.9, 0.01, 100).tolist()
    right = np.random.default_rng(1).normal(0.95, 0.01, 100).tolist()
    result, seeds = until_decided(left, right, 5, 100)
    assert (result.comparison.verdict, seeds) == ("better", 8)
    assert result.note.startswith("Looked twice, at 5, 8 seeds a group, of at most 100")


def test_before_the_cap_the_next_look_is_announced_and_at_the_cap_the_seeds_needed():
    left, right = np.random.default_rng(2).normal(size=(2, 12)).tolist()
    looks = plan(5, 12)
    notes = []
    for look in (looks[0], looks[-1]):
        groups = {name: dict(enumerate(side[: look.seeds])) for name, side in (("a", left), ("b", right))}
        notes.append(judge("accuracy", groups, look=look).comparison.note)
    assert "The next look is at 8 seeds each." in notes[0]
    assert "seeds each would be needed" in notes[1]


def test_equivalence_is_decided_too():
    left = np.random.default_rng(0).normal(0.9, 0.01, 60).tolist()
    right = np.random.default_rng(1).normal(0.9, 0.01, 60).tolist()
    result, seeds = until_decided(left, right, 5, 60, margin=0.02)
    assert result.comparison.verdict == "equivalent"
    assert seeds < 60


def test_intervals_of_looks_are_wider_than_those_of_one_look():
    left = np.random.default_rng(0).normal(size=12).tolist()
    right = np.random.default_rng(1).normal(size=12).tolist()
    groups = {"a": dict(enumerate(left)), "b": dict(enumerate(right))}
    widths = []
    for look in (None, plan(4, 12)[-1], plan(6, 100)[1]):
        low, high = judge("accuracy", groups, look=look, paired=False).comparison.ci95
        widths.append(high - low)
    assert widths == sorted(widths)


def test_of_more_than_two_groups_every_comparison_must_be_decided():
    random = np.random.default_rng(0)
    groups = {
        name: dict(enumerate(random.normal(mean, 0.01, 8))) for name, mean in zip("abc", (0.9, 0.99, 0.9), strict=True)
    }
    assert not decided(judge("accuracy", groups))
    assert decided(judge("accuracy", {name: groups[name] for name in "ab"}))
