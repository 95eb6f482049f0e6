"""Recurrent layers: simple, LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al. 2014).

torch/nn/modules/rnn.py; keras/src/layers/rnn (reset_after); a forget bias is added in tf.compat.v1.nn.rnn_cell and flax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from samestep.explain.fitting import Settings, Variant
from samestep.explain.references.layers.examples import Example, Tensors, variant

Array = NDArray[Any]

GATES: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": expit,
    "hard sigmoid, 0.2 x + 0.5": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard sigmoid, x / 6 + 0.5": lambda x: np.clip(x / 6 + 0.5, 0, 1),
}
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "none": lambda x: x,
}
FIRST, LAST = "of the first token", "of the last token"
"""Where the last output of a layer that reads backwards is taken."""
Stack = tuple[tuple[str, ...], ...]
"""Levels of layers, each of one that reads forwards and perhaps one that reads backwards."""
Cell = Callable[[Array, tuple[Array, Array], Tensors, Settings], tuple[Array, Array]]
"""The next (hidden, cell) states from one step's input and the states before."""


def _part(x: Array, h: Array, tensors: Tensors, gate: str, order: Mapping[str, str]) -> tuple[Array, Array]:
    """What a gate gets from the input, and from the hidden state."""
    name = f" {order.get(gate, gate)}" if gate else ""
    zero = np.zeros(1)
    given = x @ tensors[f"kernel{name}"] + tensors.get(f"bias{name}", zero)
    return given, h @ tensors[f"recurrent{name}"] + tensors.get(f"recurrent_bias{name}", zero)


def _sum(x: Array, h: Array, tensors: Tensors, gate: str, order: Mapping[str, str]) -> Array:
    given, held = _part(x, h, tensors, gate, order)
    return np.asarray(given + held)


def simple_cell(x: Array, before: tuple[Array, Array], tensors: Tensors, s: Settings) -> tuple[Array, Array]:
    """One step of a simple recurrent layer."""
    h = ACTIVATIONS[s["activation"]](_sum(x, before[0], tensors, "", {}))
    return h, h


def lstm_cell(x: Array, before: tuple[Array, Array], tensors: Tensors, s: Settings) -> tuple[Array, Array]:
    """One step of an LSTM."""
    (h, c), gate, act = before, GATES[s["recurrent_activation"]], ACTIVATIONS[s["activation"]]
    order = dict(zip("ifgo", s["gate_order"], strict=True))
    i, f, g, o = (_sum(x, h, tensors, name, order) for name in "ifgo")
    c = gate(f + s["forget_bias"]) * c + gate(i) * act(g)
    return gate(o) * act(c), c


def gru_cell(x: Array, before: tuple[Array, Array], tensors: Tensors, s: Settings) -> tuple[Array, Array]:
    """One step of a GRU, with the reset gate behind or in front of the product with the recurrent kernel."""
    h, gate, act = before[0], GATES[s["recurrent_activation"]], ACTIVATIONS[s["activation"]]
    order = dict(zip("zrn", s["gate_order"], strict=True))
    z, r = (gate(_sum(x, h, tensors, name, order)) for name in "zr")
    given, held = _part(x, h, tensors, "n", order)
    if not s["reset_after"]:
        held, r = _part(x, r * h, tensors, "n", order)[1], np.ones(1)
    n = act(given + r * held)
    h = z * h + (1 - z) * n if s["keeps"] == "update gate" else (1 - z) * h + z * n
    return h, h


CELLS: Mapping[str, tuple[Cell, str]] = {
    "simple recurrent": (simple_cell, ""),
    "LSTM": (lstm_cell, "ifgo"),
    "GRU": (gru_cell, "zrn"),
}


def run(cell: Cell, example: Example, tensors: Tensors, s: Settings) -> Array:
    """All hidden states, or the last one, of rows (rows, time, features)."""
    hidden = _hidden(cell, np.flip(example.x, 1) if s["go_backwards"] else example.x, tensors, s)
    return hidden if example.y.ndim == 3 else hidden[:, -1]


def _hidden(cell: Cell, x: Array, tensors: Tensors, s: Settings) -> Array:
    """The hidden states (rows, time, units) of a layer that reads x forwards."""
    name = next(name for name in tensors if name.startswith("recurrent") and not name.startswith("recurrent_bias"))
    state = (np.zeros((len(x), tensors[name].shape[0])),) * 2
    hidden = []
    for step in range(x.shape[1]):
        state = cell(x[:, step], state, tensors, s)
        hidden.append(state[0])
    return np.stack(hidden, 1)


def run_stack(cell: Cell, example: Example, stack: Stack, s: Settings) -> Array:
    """Levels of layers, each of which reads what the one below gives, forwards or both ways, side by side."""
    x = example.x
    for level in stack:
        forwards, *back = (example.layers[layer] for layer in level)
        backwards = [np.flip(_hidden(cell, np.flip(x, 1), tensors, s), 1) for tensors in back]
        x = np.concatenate([_hidden(cell, x, forwards, s), *backwards], -1)
    if example.y.ndim == 3:
        return x
    units = x.shape[-1] // len(stack[-1])
    last = 0 if s.get("backward_output") == FIRST else -1
    return np.concatenate([x[:, -1, :units], x[:, last, units:]], -1)


def variants(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every recurrent layer whose tensors fit, the usual ones first."""
    if example.x.ndim != 3:
        return
    for layer in layers:
        tensors = example.layers[layer]
        for name, (cell, gates) in CELLS.items():
            kernel = tensors.get(f"kernel {gates[0]}" if gates else "kernel")
            recurrent = tensors.get(f"recurrent {gates[0]}" if gates else "recurrent")
            if (
                kernel is not None
                and recurrent is not None
                and kernel.shape == (example.x.shape[-1], example.y.shape[-1])
            ):
                for choices in _choices(name, gates):
                    yield variant(name, _running(cell), layer, choices)


def stacks(example: Example, layers: Sequence[str]) -> Iterator[Variant]:
    """Every stack of recurrent layers, or one that reads both ways, whose tensors fit."""
    if example.x.ndim != 3:
        return
    for name, (cell, gates) in CELLS.items():
        kernel = f"kernel {gates[0]}" if gates else "kernel"
        shapes = {
            layer: tensors[kernel].shape
            for layer, tensors in example.layers.items()
            if layer in layers and kernel in tensors and any(part.startswith("recurrent") for part in tensors)
        }
        for stack in _stacks(shapes, example.x.shape[-1], example.y.shape[-1]) if len(shapes) > 1 else ():
            both_ways = len(stack[-1]) > 1 and example.y.ndim == 2
            for choices, last in product(_choices(name, gates), (FIRST, LAST) if both_ways else (None,)):
                if not choices["go_backwards"]:
                    full = {**choices, "backward_output": last, "stacked": len(stack), "both_ways": len(stack[-1]) > 1}
                    yield variant(name, _stacking(cell, stack), "", full)


def _stacks(shapes: Mapping[str, tuple[int, ...]], width: int, wanted: int) -> Iterator[Stack]:
    """Levels of one layer, or of two neighbours of one shape, from this width to the wanted one, in the layers' order."""
    names = list(shapes)
    for place, name in enumerate(names):
        for level in ((name,), tuple(names[place : place + 2])):
            if {shapes[layer] for layer in level} == {(width, shapes[name][1])}:
                made = len(level) * shapes[name][1]
                rest = {one: shapes[one] for one in names[place + len(level) :]}
                if made == wanted:
                    yield (level,)
                yield from ((level, *above) for above in _stacks(rest, made, wanted))


def _stacking(cell: Cell, stack: Stack) -> Any:
    return lambda example, tensors, s: run_stack(cell, example, stack, s)


def _running(cell: Cell) -> Any:
    return lambda example, tensors, s: run(cell, example, tensors, s)


def _choices(name: str, gates: str) -> Iterator[dict[str, Any]]:
    for backwards, activation in product((False, True), ACTIVATIONS):
        plain = {"activation": activation, "go_backwards": backwards}
        if name == "simple recurrent":
            yield plain
            continue
        for gate in GATES if activation == "tanh" or not backwards else ("sigmoid",):
            gated = {**plain, "recurrent_activation": gate, "gate_order": gates}
            if name == "LSTM":
                yield from ({**gated, "forget_bias": bias} for bias in (0.0, 1.0))
            else:
                for after, keeps in product((True, False), ("update gate", "its complement")):
                    yield {**gated, "reset_after": after, "keeps": keeps}


def other_orders(found: Variant) -> Iterator[Variant]:
    """The same layer with its gates in every other order."""
    for order in permutations(found.choices["gate_order"]):
        if "".join(order) != found.choices["gate_order"]:
            yield found.with_choices(gate_order="".join(order))
