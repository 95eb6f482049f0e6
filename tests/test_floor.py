"""The ruler itself: what counts as equal, as rounding and as different, and which stage is blamed."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from samestep.matching import floor
from samestep.matching.judging import SEVERITY, Comparison, blame, first_difference, judge, overall

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])


@st.composite
def tensors(draw, *, min_side=0, min_dims=0, special=False):
    """Float tensors; with special, NaN and infinities among them."""
    dtype = np.dtype(draw(DTYPES))
    shape = draw(arrays.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=5))
    elements = st.floats(
        width=dtype.itemsize * 8,
        allow_nan=special,
        allow_infinity=special,
        min_value=None if special else -1000,
        max_value=None if special else 1000,
    )
    return draw(arrays.arrays(dtype, shape, elements=elements))


@st.composite
def siblings(draw, tensor):
    """Up to four copies of the tensor moved by one ulp, as a program's reactions are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [floor.moved(tensor, rng) for _ in range(draw(st.integers(0, 4)))]


@given(st.data())
def test_a_tensor_is_at_no_distance_from_itself_even_with_nan_and_infinity(data):
    tensor = data.draw(tensors(special=True))
    assert floor.times_floor(tensor, data.draw(siblings(tensor)), tensor.copy()) == 0.0


@given(st.data())
def test_any_element_that_differs_is_at_some_distance(data):
    tensor = data.draw(tensors(min_side=1))
    other = tensor.copy()
    index = tuple(data.draw(st.integers(0, size - 1)) for size in tensor.shape)
    other[index] = np.nextafter(other[index], np.array(np.inf, tensor.dtype))
    assert floor.times_floor(tensor, [], other) > 0.0


@given(st.data())
def test_the_distance_does_not_depend_on_the_sign(data):
    tensor = data.draw(tensors())
    other = data.draw(arrays.arrays(tensor.dtype, tensor.shape, elements=st.floats(-1000, 1000, width=16)))
    near = data.draw(siblings(tensor))
    assert floor.times_floor(tensor, near, other) == floor.times_floor(-tensor, [-s for s in near], -other)


@given(st.data(), st.sampled_from([np.nan, np.inf, -np.inf]), st.booleans())
def test_nan_or_infinity_on_one_side_only_is_beyond_any_floor(data, bad, swapped):
    tensor = data.draw(tensors(min_side=1))
    spoiled = tensor.copy()
    spoiled[tuple(data.draw(st.integers(0, size - 1)) for size in tensor.shape)] = bad
    pair = (spoiled, tensor) if swapped else (tensor, spoiled)
    assert floor.times_floor(pair[0], data.draw(siblings(pair[0])), pair[1]) == math.inf


@given(st.data())
def test_nan_at_the_same_place_on_both_sides_hides_nothing_elsewhere(data):
    tensor = data.draw(tensors(min_side=2, min_dims=1))
    one, other = tensor.copy(), tensor.copy()
    first, last = (0,) * tensor.ndim, (-1,) * tensor.ndim
    one[first] = other[first] = np.nan
    assert floor.times_floor(one, [], other) == 0.0
    other[last] += 1
    assume(other[last] != one[last])
    assert floor.times_floor(one, [], other) > 0.0


def test_infinities_of_opposite_sign_are_beyond_any_floor():
    assert floor.times_floor(np.array([np.inf, 1.0]), [], np.array([-np.inf, 1.0])) == math.inf


def test_a_place_that_rounding_alone_turns_nan_decides_nothing():
    one, other = np.array([1.0, 2.0], np.float32), np.array([np.nan, 2.0], np.float32)
    assert floor.times_floor(one, [other.copy()], other) == 0.0


TENSOR = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)
CORRUPTIONS = {
    "two axes swapped": lambda a: a.T.copy(),
    "one element dropped": lambda a: a.ravel()[:-1].copy(),
    "one row dropped": lambda a: a[:-1].copy(),
    "cast to float16": lambda a: a.astype(np.float16),
    "reversed": lambda a: a[::-1].copy(),
    "one element off by a thousandth": lambda a: a + 1e-3 * (np.arange(36).reshape(6, 6) == 7).astype(a.dtype),
    "two rows swapped": lambda a: a[[1, 0, 2, 3, 4, 5]].copy(),
    "an axis added": lambda a: a[None].copy(),
    "the sign of one element": lambda a: np.where(np.arange(36).reshape(6, 6) == 7, -a, a),
    "NaN in one element": lambda a: np.where(np.arange(36).reshape(6, 6) == 7, np.float32(np.nan), a),
}


@pytest.mark.parametrize("swapped", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corrupted_tensor_is_different_on_either_side(corruption, swapped):
    rng = np.random.default_rng(1)
    pair = (TENSOR, CORRUPTIONS[corruption](TENSOR))
    reference, other = pair[::-1] if swapped else pair
    times = floor.times_floor(reference, [floor.moved(reference, rng) for _ in range(floor.DRAWS)], other)
    if swapped and corruption == "cast to float16":
        # a float16 reference's own ulp is a float16 ulp: no measurement on it can tell; the dtypes are aligned before
        assert times == pytest.approx(0.3, abs=0.3)
    else:
        assert floor.verdict(times) == "different"


@given(tensors(special=True), st.integers(0, 2**32 - 1))
def test_moved_moves_every_finite_nonzero_float_by_one_ulp_and_nothing_else(tensor, seed):
    shifted = floor.moved(tensor, np.random.default_rng(seed))
    assert (shifted.dtype, shifted.shape) == (tensor.dtype, tensor.shape)
    with np.errstate(over="ignore"):
        up = np.nextafter(tensor, np.array(np.inf, tensor.dtype))
        down = np.nextafter(tensor, np.array(-np.inf, tensor.dtype))
    movable = np.isfinite(tensor) & (tensor != 0)
    largest = (shifted == tensor) & ~(np.isfinite(up) & np.isfinite(down))  # the next float is infinite
    assert np.all((shifted == up) | (shifted == down) | largest | ~movable)
    assert np.array_equal(shifted[~movable], tensor[~movable], equal_nan=True)
    assert np.array_equal(np.signbit(shifted[tensor == 0]), np.signbit(tensor[tensor == 0]))


@pytest.mark.parametrize("value", [np.arange(4), np.array([True, False]), np.array(3, np.int64)], ids=repr)
def test_moved_leaves_whole_numbers_alone(value):
    assert floor.moved(value, np.random.default_rng(0)) is value


def test_moved_moves_both_ways():
    shifted = floor.moved(np.ones(64, np.float32), np.random.default_rng(0))
    assert {bool(value > 1) for value in shifted} == {True, False}


def test_settings_move_by_one_ulp_of_the_precision_they_are_held_in():
    settings = {"beta_2": {"value": 0.999, "dtype": "float32"}}
    moved = floor.moved_settings(settings, np.random.default_rng(0))["beta_2"]
    ulp = float(np.spacing(np.float32(0.999)))
    assert abs(moved - float(np.float32(0.999))) == pytest.approx(ulp)


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        (0.0, "identical"),
        (5e-324, "rounding"),
        (9.999, "rounding"),
        (10.0, "undecided"),
        (99.999, "undecided"),
        (100.0, "different"),
        (math.inf, "different"),
    ],
)
def test_a_distance_in_floors_has_one_verdict(times, verdict):
    assert floor.verdict(times) == verdict


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=2).map(sorted))
def test_a_larger_distance_never_has_a_milder_verdict(pair):
    near, far = pair
    assert SEVERITY[floor.verdict(near)] <= SEVERITY[floor.verdict(far)]


def test_a_stage_is_named_for_its_first_difference_and_not_for_its_largest():
    found = judge("forward", [Comparison("a", 0, 3.0), Comparison("b", 1, 200.0), Comparison("c", 2, 9000.0)])
    assert (found.stage.verdict, found.stage.name, found.stage.step) == ("different", "b", 1)


def test_a_stage_in_which_nothing_was_compared_is_undecided():
    assert judge("loss", []).stage.verdict == "undecided"


@given(st.lists(st.sampled_from([0.0, 3.0, 50.0, 300.0]), min_size=1))
def test_the_verdict_of_all_stages_is_that_of_the_worst(distances):
    judged = [judge(f"stage {i}", [Comparison("x", 0, times)]) for i, times in enumerate(distances)]
    assert overall(judged) == floor.verdict(max(distances))
    first = first_difference(judged)
    assert (first and first.stage) == next((f"stage {i}" for i, t in enumerate(distances) if t >= 100), None)


def test_stages_that_follow_from_a_difference_are_undecided_and_the_others_keep_their_verdict():
    order = ["data", "forward", "loss", "gradients", "update", "step", "metrics", "free run"]
    judged = blame([judge(stage, [Comparison("x", 0, 0.0 if stage == "data" else 500.0)]) for stage in order])
    verdicts = {entry.stage.stage: entry.stage.verdict for entry in judged}
    followers = dict.fromkeys(["loss", "gradients", "step", "metrics", "free run"], "undecided")
    assert verdicts == {"data": "identical", "forward": "different", "update": "different", **followers}
    assert {entry.stage.note for entry in judged if entry.stage.verdict == "undecided"} == {"follows from forward"}
    assert overall(judged) == "different"


def test_a_follower_that_agrees_keeps_its_verdict():
    judged = blame([judge("forward", [Comparison("x", 0, 500.0)]), judge("loss", [Comparison("x", 0, 0.5)])])
    assert [entry.stage.verdict for entry in judged] == ["different", "rounding"]
