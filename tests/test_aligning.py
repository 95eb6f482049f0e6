"""Which tensor is which: declared layouts, shapes and names, tensors that are others joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samestep.matching.aligning import align, suggestions
from samestep.matching.layouts import blocks


def tensor(name, shape, layout=None, layer=None):
    declared = {"layout": layout, "layer": layer or name} if layout else {}
    return {"name": name, "shape": list(shape), "dtype": "float32", **declared}


def numbered(described):
    """A different number in every element of every tensor."""
    ends = np.cumsum([int(np.prod(entry["shape"])) for entry in described])
    return {
        entry["name"]: np.arange(end - np.prod(entry["shape"]), end, dtype=np.float32).reshape(entry["shape"])
        for entry, end in zip(described, ends, strict=True)
    }


def names(alignment):
    return [(tuple(t.name for t in group.left), tuple(t.name for t in group.right)) for group in alignment.groups]


def moved(left, right):
    """The left side's numbers as the right side holds them, once every tensor has its twin."""
    alignment = align(left, right)
    assert alignment.complete, (alignment.left_over, alignment.right_over)
    return alignment.to_right(numbered(left)), numbered(left)


KERAS_LSTM = [
    tensor("lstm/kernel", (5, 16), "kernel: in i,f,g,o*out", "lstm"),
    tensor("lstm/recurrent_kernel", (4, 16), "recurrent: in i,f,g,o*out", "lstm"),
    tensor("lstm/bias", (16,), "bias: i,f,g,o*out", "lstm"),
]
FLAX_LSTM = [
    *(tensor(f"h{gate}/bias", (4,), f"bias {gate}: out", "lstm") for gate in "fgio"),
    *(tensor(f"h{gate}/kernel", (4, 4), f"recurrent {gate}: in out", "lstm") for gate in "fgio"),
    *(tensor(f"i{gate}/kernel", (5, 4), f"kernel {gate}: in out", "lstm") for gate in "fgio"),
]
KERAS_GRU = [
    tensor("gru/kernel", (5, 12), "kernel: in z,r,n*out", "gru"),
    tensor("gru/recurrent_kernel", (4, 12), "recurrent: in z,r,n*out", "gru"),
    tensor("gru/bias", (2, 12), ": bias,recurrent_bias z,r,n*out", "gru"),
]
TORCH_GRU = [
    tensor("weight_ih", (12, 5), "kernel: r,z,n*out in", "gru"),
    tensor("weight_hh", (12, 4), "recurrent: r,z,n*out in", "gru"),
    tensor("bias_ih", (12,), "bias: r,z,n*out", "gru"),
    tensor("bias_hh", (12,), "recurrent_bias: r,z,n*out", "gru"),
]
KERAS_ATTENTION = [
    tensor(f"{part}/{kind}", shape, f"{kind} {part}: {axes}", "attention")
    for part in ("query", "key", "value")
    for kind, shape, axes in (("kernel", (6, 2, 3), "in out out"), ("bias", (2, 3), "out out"))
] + [tensor("output/kernel", (2, 3, 6), "kernel output: in in out", "attention")]
TORCH_ATTENTION = [
    tensor("in_proj_weight", (18, 6), "kernel: query,key,value*out in", "attention"),
    tensor("in_proj_bias", (18,), "bias: query,key,value*out", "attention"),
    tensor("out_proj.weight", (6, 6), "kernel output: out in", "attention"),
]


def test_a_fused_lstm_kernel_pairs_with_one_for_each_gate():
    found, left = moved(KERAS_LSTM, FLAX_LSTM)
    for number, gate in enumerate("ifgo"):
        part = slice(4 * number, 4 * number + 4)
        np.testing.assert_array_equal(found[f"i{gate}/kernel"], left["lstm/kernel"][:, part])
        np.testing.assert_array_equal(found[f"h{gate}/kernel"], left["lstm/recurrent_kernel"][:, part])
        np.testing.assert_array_equal(found[f"h{gate}/bias"], left["lstm/bias"][part])


def test_gates_in_another_order_and_both_biases_of_a_gru_pair():
    found, left = moved(KERAS_GRU, TORCH_GRU)
    z, r, n = np.split(left["gru/kernel"].T, 3)
    np.testing.assert_array_equal(found["weight_ih"], np.concatenate([r, z, n]))
    z, r, n = np.split(left["gru/bias"][1], 3)
    np.testing.assert_array_equal(found["bias_hh"], np.concatenate([r, z, n]))


def test_split_projections_of_attention_pair_with_fused_ones():
    found, left = moved(KERAS_ATTENTION, TORCH_ATTENTION)
    parts = [left[f"{part}/kernel"].reshape(6, 6).T for part in ("query", "key", "value")]
    np.testing.assert_array_equal(found["in_proj_weight"], np.concatenate(parts))
    np.testing.assert_array_equal(found["out_proj.weight"], left["output/kernel"].reshape(6, 6).T)


@pytest.mark.parametrize(
    ("left", "right", "move"),
    [
        ("kernel: d0 d1 in out", "kernel: out in d0 d1", lambda kernel: kernel.transpose(3, 2, 0, 1)),
        ("kernel: d0 d1 out in", "kernel: -d0 -d1 in out", lambda kernel: kernel[::-1, ::-1].transpose(0, 1, 3, 2)),
        ("kernel: d0 d1 in out", "kernel: d0 d1 in out", lambda kernel: kernel),
    ],
)
def test_convolution_kernels_pair_by_their_layouts_even_where_all_sizes_are_equal(left, right, move):
    found, numbers = moved([tensor("a", (3, 3, 3, 3), left)], [tensor("b", (3, 3, 3, 3), right)])
    np.testing.assert_array_equal(found["b"], move(numbers["a"]))


def test_a_depthwise_kernel_pairs_with_a_grouped_one():
    found, left = moved(
        [tensor("a", (3, 3, 4, 2), "kernel: d0 d1 out out")], [tensor("b", (8, 1, 3, 3), "kernel: out in d0 d1")]
    )
    np.testing.assert_array_equal(found["b"][:, 0], left["a"].reshape(3, 3, 8).transpose(2, 0, 1))


def test_tensors_without_layouts_pair_in_order_by_shape_up_to_a_transposition():
    left = [tensor("w1", (3, 5)), tensor("b1", (5,)), tensor("w2", (5, 2)), tensor("b2", (2,))]
    right = [tensor("a.weight", (5, 3)), tensor("a.bias", (5,)), tensor("b.weight", (2, 5)), tensor("b.bias", (2,))]
    found, numbers = moved(left, right)
    np.testing.assert_array_equal(found["b.weight"], numbers["w2"].T)


def test_out_of_order_names_decide():
    left = [tensor("decoder", (3, 5)), tensor("encoder", (3, 5)), tensor("head", (7,))]
    right = [tensor("head", (7,)), tensor("decoder.w", (3, 5)), tensor("encoder.w", (3, 5))]
    assert set(names(align(left, right))) == {
        (("decoder",), ("decoder.w",)),
        (("encoder",), ("encoder.w",)),
        (("head",), ("head",)),
    }


def test_kernel_and_recurrent_kernel_joined_in_one_tensor_pair_with_both():
    found, left = moved([tensor("kernel", (9, 16)), tensor("bias", (16,))], KERAS_LSTM)
    np.testing.assert_array_equal(found["lstm/recurrent_kernel"], left["kernel"][5:])
    back, right = moved(KERAS_LSTM, [tensor("kernel", (9, 16)), tensor("bias", (16,))])
    np.testing.assert_array_equal(back["kernel"][:5], right["lstm/kernel"])


def test_what_is_left_over_is_told_with_the_likeliest_pairs():
    alignment = align([tensor("dense/kernel", (3, 5))], [tensor("fc.weight", (3, 4)), tensor("fc.bias", (4,))])
    assert not alignment.complete
    assert [str(t) for t in alignment.left_over] == ["dense/kernel (3, 5)"]
    assert suggestions(alignment) == ['"dense/kernel" = "fc.weight"']


def test_pairs_that_the_user_named_come_first():
    left, right = [tensor("a", (3, 5)), tensor("b", (3, 5))], [tensor("c", (3, 5)), tensor("d", (3, 5))]
    assert names(align(left, right)) == [(("a",), ("c",)), (("b",), ("d",))]
    assert names(align(left, right, {"a": "d"})) == [(("a",), ("d",)), (("b",), ("c",))]


@pytest.mark.parametrize("layout", ["kernel: in out", "kernel: in*out", "kernel: a,b,c*out in", "kernel: in:3*x in"])
def test_a_layout_that_does_not_fit_its_shape_is_refused(layout):
    with pytest.raises(ValueError, match=r"layout|divide"):
        blocks(layout, (4, 4, 1))
    assert align([tensor("a", (4, 4, 1), layout)], [tensor("b", (4, 4))]).complete, "the shape still tells"


AXES = ["in", "out", "d0", "d1"]


@given(st.permutations(AXES), st.permutations(AXES), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_any_two_orders_of_declared_axes_are_carried_over_and_back(one, other, sizes):
    size = dict(zip(AXES, sizes, strict=True))
    left = [tensor("left", [size[axis] for axis in one], "kernel: " + " ".join(one))]
    right = [tensor("right", [size[axis] for axis in other], "kernel: " + " ".join(other))]
    alignment, numbers = align(left, right), numbered(left)
    found = alignment.to_right(numbers)["right"]
    np.testing.assert_array_equal(found, numbers["left"].transpose([one.index(axis) for axis in other]))
    np.testing.assert_array_equal(alignment.to_left({"right": found})["left"], numbers["left"])
