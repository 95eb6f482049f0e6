"""Doubts about which tensor is which are settled by what the programs compute."""

import numpy as np
import pytest

from samestep.matching.aligning import Alignment, align
from samestep.matching.settling import settle
from samestep.matching.sides import Sides

RNG = np.random.default_rng(7)
X = RNG.standard_normal((5, 6)).astype(np.float32)
IMAGES = RNG.standard_normal((5, 2, 3, 4)).astype(np.float32)
SERIES = RNG.standard_normal((5, 7, 3)).astype(np.float32)


class Network:
    """Answers as a worker does, for a function of parameters and rows that returns its activations, the last one the output."""

    def __init__(self, compute, **shapes):
        self.compute = compute
        self.parameters = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self.forwards = 0

    def ask(self, do, values=None, x=None, training=None):
        if do == "state":
            self.parameters.update((values or {}).get("parameters", {}))
            return {"parameters": dict(self.parameters), "buffers": {}}
        self.forwards += 1
        seen = self.compute(x, **self.parameters)
        return {"activations": dict(enumerate_names(seen)), "outputs": {"output": seen[-1]}}

    send = None

    def described(self):
        entries = [{"name": n, "shape": list(v.shape), "dtype": "float32"} for n, v in self.parameters.items()]
        return {"parameters": entries, "buffers": [], "slots": [], "framework": "test"}


def enumerate_names(seen):
    return ((f"layer_{number}", value) for number, value in enumerate(seen))


class BothAtOnce(Sides):
    def ask(self, do, **arguments):
        return self.left.ask(do, **arguments), self.right.ask(do, **arguments)


def settled(left, right, x=(X, X)):
    described = (left.described(), right.described())
    parameters = align(described[0]["parameters"], described[1]["parameters"])
    assert parameters.complete
    before = [network.ask("state") for network in (left, right)]
    found = settle(BothAtOnce(left, right, described, parameters, Alignment(())), x, np.random.default_rng(0))
    for network, state in zip((left, right), before, strict=True):
        for name, value in state["parameters"].items():
            np.testing.assert_array_equal(network.parameters[name], value, err_msg="the state is put back")
    return found


def agree(sides, left, right, x=(X, X)):
    state = {name: RNG.standard_normal(v.shape).astype(np.float32) for name, v in left.parameters.items()}
    left.parameters.update(state)
    right.parameters.update(sides.parameters.to_right(state))
    ones, others = (n.compute(rows, **n.parameters)[-1] for n, rows in zip((left, right), x, strict=True))
    return np.allclose(ones, others, atol=1e-4)


def two_layers(x, a, b):
    hidden = np.tanh(x @ a)
    return [hidden, hidden @ b]


def test_a_square_kernel_is_transposed_where_the_numbers_say_so():
    left = Network(two_layers, a=(6, 6), b=(6, 6))
    right = Network(lambda x, a, b: two_layers(x, a.T, b), a=(6, 6), b=(6, 6))
    assert agree(settled(left, right), left, right)


def test_layers_made_in_another_order_find_their_twins():
    left = Network(two_layers, a=(6, 6), b=(6, 6))
    right = Network(lambda x, a, b: two_layers(x, b, a), a=(6, 6), b=(6, 6))
    assert agree(settled(left, right), left, right)


def test_both_at_once_are_found():
    left = Network(two_layers, a=(6, 6), b=(6, 6))
    right = Network(lambda x, a, b: two_layers(x, b.T, a), a=(6, 6), b=(6, 6))
    assert agree(settled(left, right), left, right)


@pytest.mark.parametrize("flip", [False, True])
def test_what_follows_a_flatten_is_reordered_from_channels_last_to_first_and_back(flip):
    def last(x, kernel):
        return [x * 2, (x * 2).reshape(len(x), -1) @ kernel]

    def first(x, kernel):
        moved = x.transpose(0, 3, 1, 2) * 2
        return [moved, moved.reshape(len(x), -1) @ kernel]

    left, right = Network(last, kernel=(24, 5)), Network(first, kernel=(24, 5))
    left, right = (right, left) if flip else (left, right)
    assert agree(settled(left, right, (IMAGES, IMAGES)), left, right, (IMAGES, IMAGES))


def cell(order):
    def compute(x, kernel, recurrent, bias):
        state = memory = np.zeros((len(x), 4), np.float32)
        for t in range(x.shape[1]):
            gates = dict(zip(order, np.split(x[:, t] @ kernel + state @ recurrent + bias, 4, axis=1), strict=True))
            i, f, o = (1 / (1 + np.exp(-gates[name])) for name in "ifo")
            memory = f * memory + i * np.tanh(gates["g"])
            state = o * np.tanh(memory)
        return [state]

    return Network(compute, kernel=(3, 16), recurrent=(4, 16), bias=(16,))


def test_gates_that_lie_in_another_order_are_reordered_in_all_tensors_of_the_cell():
    left, right = cell("ifgo"), cell("fiog")
    assert agree(settled(left, right, (SERIES, SERIES)), left, right, (SERIES, SERIES))


def test_networks_that_agree_as_proposed_are_not_tried_in_another_way():
    left, right = (Network(two_layers, a=(6, 6), b=(6, 6)) for _ in range(2))
    settled(left, right)
    assert (left.forwards, right.forwards) == (1, 1)


def test_no_alignment_makes_another_network_agree():
    left = Network(two_layers, a=(6, 6), b=(6, 6))
    right = Network(lambda x, a, b: [np.maximum(x @ a, 0), np.maximum(x @ a, 0) @ b], a=(6, 6), b=(6, 6))
    sides = settled(left, right)
    assert not agree(sides, left, right)
    assert all(np.array_equal(g.places, np.arange(36)) for g in sides.parameters.groups), "it stays as proposed"
