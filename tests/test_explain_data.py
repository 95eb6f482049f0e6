"""What sets two pipelines apart is named, and what networks are built of."""

import numpy as np
import pytest

from samestep.explain.data import _told_apart as told_apart

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(16, 12)).astype(np.float32)
IMAGES = RNG.random(size=(8, 6, 6, 3)).astype(np.float32)
TOKENS = np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0], [1, 2, 3, 4, 5]])
LABELS = RNG.integers(0, 3, (16, 1))
APART = {
    "another divisor": ("x", ROWS / 255, ROWS / 256, [("scale", 1.0, 0.996094)]),
    "scaled and moved": ("x", ROWS, ROWS * 2 - 1, [("scale", 1.0, 2.0), ("offset", 0.0, -1.0)]),
    "each row by its norm": (
        "x",
        ROWS,
        ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True),
        [("normalization", None, "per row")],
    ),
    "each feature by its spread": (
        "x",
        ROWS,
        (ROWS - ROWS.mean(0)) / ROWS.std(0),
        [("normalization", None, "per feature")],
    ),
    "colours": ("x", IMAGES, IMAGES[..., ::-1], [("channel_order", "rgb", "bgr")]),
    "transposed": ("x", IMAGES, IMAGES.transpose(0, 2, 1, 3), [("axes", [0, 1, 2, 3], [0, 2, 1, 3])]),
    "padding": (
        "x",
        TOKENS,
        np.array([[0, 0, 3, 1, 2], [0, 0, 0, 4, 4], [1, 2, 3, 4, 5]]),
        [("padding", "post", "pre")],
    ),
    "labels from one": ("y", LABELS, LABELS + 1, [("label_offset", 0, 1)]),
    "labels renamed": ("y", LABELS, (LABELS + 1) % 3, [("labels", [0, 1, 2], [1, 2, 0])]),
    "the same": ("x", ROWS, ROWS.copy(), []),
    "squared": ("x", ROWS, ROWS**2, None),
    "other targets": ("y", RNG.normal(size=(16, 1)), RNG.normal(size=(16, 1)), None),
}


@pytest.mark.parametrize("name", sorted(APART))
def test_what_makes_one_array_the_other_is_named(name):
    which, left, right, wanted = APART[name]
    assert told_apart(which, left, np.asarray(right, left.dtype)) == wanted


PROGRAMS = """
from functools import partial
import numpy as np
import torch
from samestep.frameworks.torch import Program

def program(batches=None, bias=True, affine=None, dtype=torch.float32):
    torch.manual_seed(0)
    norm = [] if affine is None else [torch.nn.LayerNorm(6, elementwise_affine=affine)]
    model = torch.nn.Sequential(torch.nn.Linear(4, 6, bias=bias), *norm, torch.nn.Tanh(), torch.nn.Linear(6, 3))
    model = model.to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=optimizer, batches=batches)

def own(x, y, size, epoch, shuffled=False, dropped=False, changed=lambda x: x):
    order = np.random.default_rng(epoch).permutation(len(x)) if shuffled else np.arange(len(x))
    for start in range(0, len(x) - (size - 1 if dropped else 0), size):
        rows = order[start : start + size]
        yield changed(x[rows]), y[rows]

def plain(): return program()
def shuffled(): return program(partial(own, shuffled=True))
def dropped(): return program(partial(own, dropped=True))
def odd(): return program(partial(own, changed=lambda x: x + 0.01 * np.sin(9 * x)))
def frozen():
    class Frozen(torch.nn.Linear):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            weight, bias = self.weight.data, self.bias.data
            del self.weight, self.bias
            self.register_buffer("kernel", weight)
            self.register_buffer("offset", bias)

        def forward(self, x):
            return torch.nn.functional.linear(x, self.kernel, self.offset)

    torch.manual_seed(0)
    model = torch.nn.Sequential(Frozen(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(model.parameters(), 0.1))

def without_bias(): return program(bias=False)
def normed(): return program(affine=True)
def normed_plainly(): return program(affine=False)
def exact(): return program(dtype=torch.float64)
"""


@pytest.fixture
def matched(matcher):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(36, 4)).astype(np.float32), rng.integers(0, 3, 36)
    return matcher(PROGRAMS, rows, batch_size=8, epochs=1)


@pytest.mark.parametrize(
    ("left", "right", "cause"),
    [
        ("plain", "shuffled", ("data", "shuffle", False, True)),
        ("dropped", "plain", ("data", "drop_last", True, False)),
        ("plain", "without_bias", ("forward", "use_bias", True, False)),
        ("frozen", "plain", ("mode", "trainable", False, True)),
        ("normed_plainly", "normed", ("forward", "affine", False, True)),
        ("plain", "exact", ("dtype", "compute_dtype", "float32", "float64")),
    ],
)
def test_the_cause_is_named(matched, left, right, cause):
    result = matched(left, right)
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes] == [cause]
    assert result.causes[0].confirmed


def test_rows_changed_in_an_unknown_way_have_no_cause(matched):
    result = matched("plain", "odd")
    assert result.first_difference.stage == "data"
    assert result.causes == ()


def test_a_whole_layer_more_is_no_confirmed_cause(matched):
    result = matched("plain", "normed")
    assert [cause.confirmed for cause in result.causes] == [False]
