"""Initial weights: two draws of one distribution are never called different, however small the tensors; one draw altered is."""

import numpy as np
import pytest

from samestep.matching.aligning import Alignment, align
from samestep.matching.initial import compare_initial
from samestep.matching.sides import Sides

SIZES = (2, 3, 5, 40)
rng = np.random.default_rng(0)


def judged(left, right):
    """The stage for biases of these values."""
    described = [
        {"name": f"bias{i}", "shape": list(array.shape), "dtype": "float32", "layout": "bias: out", "layer": f"{i}"}
        for i, array in enumerate(left)
    ]
    sides = Sides(None, None, ({"slots": []}, {"slots": []}), align(described, described), Alignment(()))
    names = [entry["name"] for entry in described]
    states = [
        {"parameters": dict(zip(names, arrays, strict=True)), "slots": {}, "buffers": {}} for arrays in (left, right)
    ]
    return compare_initial(sides, *states, own_init=False).stage


def draws(kind):
    draw = {"uniform": lambda n: rng.uniform(-0.3, 0.3, n), "normal": lambda n: rng.normal(0, 0.1, n)}[kind]
    return [draw(size).astype(np.float32) for size in SIZES]


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_two_draws_of_small_tensors_are_not_taken_for_one_draw_that_was_altered(kind):
    assert {judged(draws(kind), draws(kind)).verdict for _ in range(1000)} == {"identical"}


@pytest.mark.parametrize("tensor", range(len(SIZES)))
def test_one_draw_of_which_an_element_is_altered_is_different_in_that_tensor(tensor):
    left = draws("uniform")
    right = [array.copy() for array in left]
    right[tensor][0] += np.float32(1e-4)
    found = judged(left, right)
    assert (found.verdict, found.name) == ("different", f"bias{tensor}")


def test_another_distribution_is_told():
    left = [rng.uniform(-0.3, 0.3, 400).astype(np.float32)]
    assert "differ in distribution" in judged(left, [rng.normal(0, 0.3, 400).astype(np.float32)]).note
    assert "differ" not in judged(left, [rng.uniform(-0.3, 0.3, 400).astype(np.float32)]).note
