"""Which layer is named where two forward passes differ, whatever parts of them either side shows."""

import numpy as np
import pytest

from samestep.matching.forward import culprit
from samestep.matching.reaction import Reaction

rng = np.random.default_rng(0)
A, B, C, D, LARGER, OTHER_C, OTHER_D = (rng.normal(size=(4, size)) for size in (6, 6, 5, 3, 7, 5, 3))


def shown(**layers):
    """A side that shows these outputs, which move by rounding."""

    def look(rng):
        near = 1.0 if rng is None else 1 + 1e-7 * rng.choice([-1, 1])
        return {f"activations|{name}": (value * near).astype(np.float32) for name, value in layers.items()}

    return Reaction(look, np.random.default_rng(1))


RIGHT = {
    "the layer itself": (shown(first=A, second=OTHER_C, head=OTHER_D), "second"),
    "its parts, of which one has its name": (shown(first=B, relu=A, second=LARGER, tanh=OTHER_C, head=OTHER_D), "second"),
    "what it was given is shown again after it": (shown(first=A, second=OTHER_C, copy=A, head=OTHER_D), "second"),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHT)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_first_layer_that_differs_is_named(what, swapped):
    sides = [shown(first=A, second=C, head=D), RIGHT[what][0]]
    found = culprit(*reversed(sides)) if swapped else culprit(*sides)
    assert found is not None
    assert found.name == f"activations|{RIGHT[what][1]}"


@pytest.mark.parametrize("swapped", [False, True])
def test_a_layer_that_one_side_lacks_is_named_itself(swapped):
    sides = [shown(first=A, drop=B, second=C, head=D), shown(first=A, second=OTHER_C, head=OTHER_D)]
    found = culprit(*reversed(sides)) if swapped else culprit(*sides)
    assert (found.name, found.left if swapped else found.right) == ("activations|drop", "activations|first")


def test_what_a_layer_shows_of_its_inside_is_not_named_where_it_agrees_again():
    sides = [shown(first=A, inside=B, second=C, head=D), shown(first=A, second=C, head=OTHER_D)]
    assert culprit(*sides).name == "activations|head"
