"""What is seen of PyTorch models: what their tensors mean, and what they compute on the way to their outputs."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from samestep.errors import ProgramError
from samestep.frameworks import torch as adapter
from samestep.frameworks.torch import Program

pytestmark = pytest.mark.filterwarnings("ignore:CUDA initialization")  # as in test_torch_programs
sys.modules.setdefault("triton", None)  # its LLVM ends a process that has TensorFlow's; nothing here compiles for a GPU
rng = np.random.default_rng(0)


def held(model, x, optimizer=torch.optim.SGD):
    program = Program(model, loss=lambda outputs, y: 0.0, optimizer=optimizer(model.parameters(), 0.1))
    return adapter.load(program, x[:2])


def described(model, x):
    """{tensor: (layer, layout)} of all parameters and buffers."""
    found = adapter.describe(held(model, x))
    return {e["name"]: (e.get("layer"), e.get("layout")) for e in found["parameters"] + found["buffers"]}


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


LSTM = {
    "weight_ih": "kernel: i,f,g,o*out in",
    "weight_hh": "recurrent: i,f,g,o*out in",
    "bias_ih": "bias: i,f,g,o*out",
    "bias_hh": "recurrent_bias: i,f,g,o*out",
}
GRU = {name: layout.replace("i,f,g,o", "r,z,n") for name, layout in LSTM.items()}
RNN = {name: layout.replace("i,f,g,o*", "") for name, layout in LSTM.items()}
NORMAL = {"weight": "gamma: out", "bias": "beta: out"}
STATISTICS = {**NORMAL, "running_mean": "mean: out", "running_var": "variance: out"}
DENSE = {"weight": "kernel: out in", "bias": "bias: out"}
LAYERS = {
    "Linear": (nn.Linear(3, 4), normal(2, 3), DENSE),
    "a layer derived from Linear": (type("Own", (nn.Linear,), {})(3, 4), normal(2, 3), DENSE),
    "Embedding": (nn.Embedding(5, 3), np.array([[1], [2]]), {"weight": "embeddings: token out"}),
    "Conv1d": (nn.Conv1d(2, 4, 3), normal(2, 2, 5), {"weight": "kernel: out in d0", "bias": "bias: out"}),
    "Conv2d": (
        nn.Conv2d(2, 4, 3, groups=2),
        normal(2, 2, 5, 5),
        {"weight": "kernel: out in d0 d1", "bias": "bias: out"},
    ),
    "Conv3d": (nn.Conv3d(1, 2, 2, bias=False), normal(2, 1, 3, 3, 3), {"weight": "kernel: out in d0 d1 d2"}),
    "ConvTranspose2d": (
        nn.ConvTranspose2d(2, 4, 3),
        normal(2, 2, 5, 5),
        {"weight": "kernel: in out d0 d1", "bias": "bias: out"},
    ),
    "BatchNorm2d": (nn.BatchNorm2d(3), normal(2, 3, 4, 4), STATISTICS),
    "InstanceNorm1d": (nn.InstanceNorm1d(3, affine=True), normal(2, 3, 4), NORMAL),
    "GroupNorm": (nn.GroupNorm(2, 4), normal(2, 4), NORMAL),
    "LayerNorm": (nn.LayerNorm(4), normal(2, 4), NORMAL),
    "LayerNorm of an image": (nn.LayerNorm((3, 4)), normal(2, 3, 4), {"weight": None, "bias": None}),
    "RMSNorm": (nn.RMSNorm(4), normal(2, 4), {"weight": "gamma: out"}),
    "PReLU": (nn.PReLU(), normal(2, 4), {"weight": None}),
    "LSTMCell": (nn.LSTMCell(3, 4), normal(2, 3), LSTM),
    "GRUCell": (nn.GRUCell(3, 4), normal(2, 3), GRU),
    "RNNCell": (nn.RNNCell(3, 4), normal(2, 3), RNN),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_tensors_of_a_layer_have_its_layout(name):
    layer, x, layouts = LAYERS[name]
    found = described(nn.Sequential(nn.Identity(), layer), x)
    expected = {f"1.{tensor}": (layout and "1", layout) for tensor, layout in layouts.items()}
    assert found == expected


@pytest.mark.parametrize(("cls", "layouts"), [(nn.LSTM, LSTM), (nn.GRU, GRU), (nn.RNN, RNN)])
def test_each_layer_and_direction_of_a_recurrent_network_is_a_layer(cls, layouts):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = cls(3, 4, num_layers=2, bidirectional=True)

        def forward(self, x):
            return self.read(x)[0]

    expected = {
        f"read.{tensor}_l{number}{way}": (f"read.l{number}{way.replace('_', '.')}", layout)
        for number in range(2)
        for way in ("", "_reverse")
        for tensor, layout in layouts.items()
    }
    assert described(Model(), normal(2, 5, 3)) == expected


def test_a_projected_lstm_declares_no_layout():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = nn.LSTM(3, 4, proj_size=2)

        def forward(self, x):
            return self.read(x)[0]

    assert set(described(Model(), normal(2, 5, 3)).values()) == {(None, None)}


class Attention(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        torch.manual_seed(0)
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True, **sizes)

    def forward(self, x):
        return self.attend(x, x, x)[0]


def test_attention_is_one_layer_with_its_projections_fused_or_split():
    output = {
        "attend.out_proj.weight": ("attend", "kernel output: out in"),
        "attend.out_proj.bias": ("attend", "bias output: out"),
        "attend.in_proj_bias": ("attend", "bias: query,key,value*out"),
    }
    fused = {"attend.in_proj_weight": ("attend", "kernel: query,key,value*out in")}
    assert described(Attention(), normal(2, 3, 4)) == {**fused, **output}

    class Split(Attention):
        def forward(self, x):
            return self.attend(x, x, x[..., :3])[0]

    split = {
        f"attend.{part[0]}_proj_weight": ("attend", f"kernel {part}: out in") for part in ("query", "key", "value")
    }
    assert described(Split(vdim=3), normal(2, 3, 4)) == {**split, **output}


def test_a_layer_whose_weight_is_made_of_others_declares_no_layout_for_them():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)))
    found = described(model, normal(2, 3))
    assert found["0.bias"] == ("0", "bias: out")
    assert found["0.parametrizations.weight.original1"] == (None, None)


# activations


class Ways(nn.Module):
    """Ways in which a model computes: modules used twice, functions, operators, in place, recurrent, in containers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Linear(4, 4)
        self.stack = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.read = nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        once = self.dense(x)
        twice = self.dense(functional.relu(once))
        mixed = twice * 2 - x
        stacked = self.stack(mixed)
        outputs, last = self.read(stacked.reshape(-1, 2, 4).transpose(0, 1))
        return {"b": outputs.sum((0, 1)), "a": (last, outputs[..., :1])}


def expected_of(model, x):
    """The inference pass of Ways, by hand."""
    once = functional.linear(x, model.dense.weight, model.dense.bias)
    relu = torch.clamp(once, min=0)
    twice = functional.linear(relu, model.dense.weight, model.dense.bias)
    mixed = twice * 2 - x
    kernel = functional.linear(mixed, model.stack[0].weight, model.stack[0].bias)
    read = model.read(torch.clamp(kernel, min=0).reshape(-1, 2, 4).transpose(0, 1))
    return {
        "dense": once,
        "relu": relu,
        "dense#2": twice,
        "mul": twice * 2,
        "sub": mixed,
        "stack.0": kernel,
        "stack.1": torch.clamp(kernel, min=0),
        "read": read[0],
        "read#2": read[1],
        "sum": read[0].sum((0, 1)),
    }


def test_modules_and_functions_show_their_outputs_by_name_in_the_order_in_which_they_run():
    x = normal(6, 4)
    model = Ways()
    shown = adapter.forward(held(model, x), x, False)
    with torch.no_grad():
        expected = expected_of(model.eval(), torch.from_numpy(x))
    assert list(shown["activations"]) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(shown["activations"][name], value.numpy(), err_msg=name)


def test_outputs_of_any_nest_are_numbered_in_the_order_of_sorted_keys():
    x = normal(6, 4)
    model = Ways()
    shown = adapter.forward(held(model, x), x, False)["outputs"]
    with torch.no_grad():
        made = model.eval()(torch.from_numpy(x))
    flat = {"output": made["a"][0], "output_1": made["a"][1], "output_2": made["b"]}
    assert list(shown) == list(flat)
    assert all(np.array_equal(shown[name], tensor.numpy()) for name, tensor in flat.items())


def test_the_fields_of_a_dataclass_are_outputs_and_none_are_refused():
    @dataclasses.dataclass
    class Made:
        logits: torch.Tensor
        note: str = ""

    class Model(nn.Linear):
        def forward(self, x):
            return Made(super().forward(x))

    class Silent(nn.Linear):
        def forward(self, x):
            return str(super().forward(x))

    x = normal(6, 4)
    assert adapter.forward(held(Model(4, 2), x), x, False)["outputs"]["output"].shape == (6, 2)
    with pytest.raises(ProgramError, match="a str in which there is no tensor"):
        adapter.forward(held(Silent(4, 2), x), x, False)


def test_in_training_mode_dropout_is_seen_and_the_same_again_from_the_same_state():
    x = normal(6, 4)
    program = held(Ways(), x)
    before = adapter.state(program)
    first = adapter.forward(program, x, True)
    adapter.state(program, before)
    second = adapter.forward(program, x, True)
    assert "stack.2" in first["activations"]
    assert np.mean(first["activations"]["stack.2"] == 0) > np.mean(first["activations"]["stack.1"] == 0)
    assert all(np.array_equal(value, second["activations"][name]) for name, value in first["activations"].items())
    # the pass that is watched draws what the other one drew
    assert np.array_equal(first["activations"]["sum"], first["outputs"]["output_2"])


def test_outputs_are_those_of_the_model_that_nobody_watches():
    """In inference PyTorch computes a layer of a transformer by another way where nothing watches it."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    x = normal(6, 3, 4)
    shown = adapter.forward(held(layer, x), x, False)
    with torch.no_grad():
        assert np.array_equal(shown["outputs"]["output"], layer.eval()(torch.from_numpy(x)).numpy())
    assert "self_attn" in shown["activations"]
    np.testing.assert_allclose(shown["activations"]["norm2"], shown["outputs"]["output"], rtol=1e-4, atol=1e-6)


def test_a_model_compiled_in_place_and_one_with_a_compiled_part_show_the_same():
    x = normal(6, 4)

    def in_place():
        model = Ways()
        model.compile(backend="eager")
        return model

    def in_part():
        model = Ways()
        model.stack = torch.compile(model.stack, backend="eager")
        return model

    plain = adapter.forward(held(Ways(), x), x, False)
    for make in (in_place, in_part):
        program = held(make(), x)
        assert list(program.parameters) == list(held(Ways(), x).parameters)
        shown = adapter.forward(program, x, False)
        for kind in ("activations", "outputs"):
            assert list(shown[kind]) == list(plain[kind])
            assert all(np.array_equal(value, plain[kind][name]) for name, value in shown[kind].items())


def test_watching_leaves_no_hook_and_an_input_its_values():
    x = normal(6, 4)
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2))
    program, kept = held(model, x), x.copy()
    adapter.forward(program, x, True)
    assert np.array_equal(x, kept)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_model_shows_its_output():
    x = normal(6, 4)
    model = torch.jit.trace(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.from_numpy(x))
    program = held(model, x)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    assert np.array_equal(adapter.forward(program, x, False)["outputs"]["output"], expected)
    assert {entry["shape"][0] for entry in adapter.describe(program)["parameters"]} == {3}


def test_a_lazy_layer_is_made_by_the_example_rows():
    x = normal(6, 4)
    assert described(nn.Sequential(nn.LazyLinear(3)), x) == {
        "0.weight": ("0", "kernel: out in"),
        "0.bias": ("0", "bias: out"),
    }


def test_vectorised_parts_are_computed_though_not_seen():
    class Mapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return torch.func.vmap(lambda row: (row * self.scale).sin())(x) + 1

    x = normal(6, 4)
    shown = adapter.forward(held(Mapped(), x), x, False)
    np.testing.assert_allclose(shown["outputs"]["output"], np.sin(x) + 1, rtol=1e-6)
    assert "add" in shown["activations"]
