"""Random layers draw the same numbers in every framework, so that programs with dropout are compared in lockstep."""

from pathlib import Path

import numpy as np
import pytest

import samestep
from samestep.frameworks._randomness import threefry
from samestep.matching.randomness import pair_draws

FOLDER = Path(__file__).parent / "programs" / "dropping"
RNG = np.random.default_rng(5)
ROWS = RNG.standard_normal((40, 12)).astype(np.float32), RNG.integers(0, 5, 40)
IMAGES = RNG.standard_normal((40, 6, 6, 3)).astype(np.float32), RNG.integers(0, 5, 40)

# Random123 1.14.0, tests/kat_vectors: counter, key, result
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_threefry_gives_the_published_numbers(counter, key, result):
    assert threefry(key, counter) == result


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_threefry_gives_them_for_arrays_too(counter, key, result):
    words = [np.full(3, word, np.uint64) for word in counter]
    for found, word in zip(threefry(key, words), result, strict=True):
        assert list(found) == [word] * 3


def compared(left, right, data=ROWS, steps=6):
    return samestep.match(str(FOLDER / left), str(FOLDER / right), data=data, batch_size=16, steps=steps, explain=False)


@pytest.mark.parametrize("right", ["jax", "keras", "tf_keras", "tensorflow", "tensorflow1"])
def test_a_net_with_dropout_is_the_same_in_pytorch_and_in(right, kept):
    result = compared("torch_program.py", f"{right}_program.py")
    assert result.verdict == "rounding", (result.first_difference, result.stages)
    drawn = next(stage for stage in result.stages if stage.stage == "forward")
    assert drawn.verdict in ("identical", "rounding")


def test_channels_first_masks_are_those_of_channels_last(kept):
    result = compared("keras_program.py:spatial", "torch_program.py:spatial", IMAGES)
    assert result.verdict == "rounding", (result.first_difference, result.stages)


@pytest.mark.parametrize(
    ("left", "right"),
    [("torch_program.py", "keras_program.py:another_rate"), ("keras_program.py", "torch_program.py:unscaled")],
)
def test_another_rate_and_a_missing_scale_are_found_in_the_layer(left, right, kept):
    first = compared(left, right).first_difference
    assert first.stage == "forward"
    assert "drop" in first.name.lower() or first.name in ("2", "output")


def draw(*shape, kind="uniform"):
    return {"kind": kind, "shape": list(shape)}


def test_draws_pair_in_order_by_kind_and_sizes_up_to_the_order_of_axes():
    left = [draw(8, 6, 6, 4), draw(8, 16), draw(8, 16), draw(8, 3, kind="normal")]
    right = [draw(8, 4, 6, 6), draw(8, 16, kind="bernoulli"), draw(8, 3, kind="normal"), draw(8, 16)]
    assert pair_draws(left, right) == [
        {"draw": 0, "axes": [0, 3, 1, 2]},
        {"draw": 1, "axes": None},
        {"draw": 3, "axes": None},
        {"draw": 2, "axes": None},
    ]


def test_a_draw_that_the_left_side_has_not_stands_for_none():
    assert pair_draws([draw(8, 16)], [draw(8, 5), draw(8, 16)]) == [None, {"draw": 0, "axes": None}]
