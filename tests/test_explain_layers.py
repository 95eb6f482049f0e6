"""Layers are named by what they compute, not by what they are called."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from samestep.explain.fitting import Evidence
from samestep.explain.identifying import identify, identify_joint
from samestep.explain.layers import _without_steps
from samestep.explain.references.layers.examples import Example
from samestep.explain.references.layers.precisions import precision_of, rounded
from samestep.explain.tensors import by_layer
from samestep.frameworks import _torch_modules
from samestep.matching import floor, match


def evidence_of(module, make, training=False, scales=(0.5, 1.0, 3.0, 0.1)):
    """A module watched as a program's layer is: on inputs of several sizes, and again with all moved by one ulp."""
    rng = np.random.default_rng(0)
    module.train(training)
    examples, siblings = [], []
    for scale in scales:
        spread(module, rng, scale)
        x = make(rng, scale)
        examples.append(Example(x.astype(np.float64), passed(module, x), layers_of(module)))
        siblings.append([passed(module, floor.moved(x, rng)).ravel() for _ in range(3)])
    seen = np.array([one.y.ravel() for one in examples])
    return Evidence(tuple(examples), seen, [np.array(rows) for rows in zip(*siblings, strict=True)])


def spread(module, rng, scale):
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_floating_point():
            values = np.abs(rng.normal(size=tensor.shape)) if "var" in name else rng.normal(size=tensor.shape)
            tensor.data.copy_(torch.tensor(scale * values))


def passed(module, x):
    torch.manual_seed(0)
    with torch.no_grad():
        made = module(torch.tensor(x))
    return (made[0] if isinstance(made, tuple) else made).numpy().astype(np.float64)


def layers_of(module):
    known = _torch_modules.layouts(module)
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    entries = [{"name": name, "shape": list(t.shape), **known.get(id(t), {})} for name, t in tensors.items()]
    return by_layer(entries, {name: tensor.detach().numpy() for name, tensor in tensors.items()})


def settings_of(module, make, training=False):
    """All readings of a module, each as its settings."""
    evidence = evidence_of(module, make, training)
    return [dict(one.settings) for one in identify(evidence, training, list(evidence.given[0].layers))]


def rows(*shape):
    return lambda rng, scale: (scale * rng.normal(size=shape)).astype(np.float32)


def tokens(count, *shape):
    return lambda rng, scale: rng.integers(0, count, shape)


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Attention(nn.MultiheadAttention):
    """Attention of its input to itself."""

    def forward(self, x, mask=None):
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)


class Causal(Attention):
    """Attention to what came before."""

    def forward(self, x):
        return super().forward(x, nn.Transformer.generate_square_subsequent_mask(x.shape[1]))


NORMALIZATIONS = [
    (nn.BatchNorm1d(6, eps=1e-3), (8, 6), False, {"kind": "batch normalization", "epsilon": 1e-3}),
    (nn.BatchNorm2d(3), (8, 3, 4, 4), True, {"kind": "batch normalization", "statistics": "statistics of the batch"}),
    (nn.LayerNorm(6), (8, 6), False, {"kind": "layer normalization", "epsilon": 1e-5, "variance": "biased"}),
    (nn.LayerNorm(6, eps=1e-6), (8, 5, 6), False, {"kind": "layer normalization", "epsilon": 1e-6}),
    (nn.GroupNorm(2, 6, eps=1e-4), (8, 6, 4, 4), False, {"kind": "group normalization", "groups": 2, "epsilon": 1e-4}),
    (nn.InstanceNorm2d(4, affine=True), (8, 4, 5, 5), False, {"kind": "instance normalization", "epsilon": 1e-5}),
    (nn.RMSNorm(6, eps=1e-6), (8, 6), False, {"kind": "RMS normalization", "epsilon": 1e-6}),
]
ACTIVATIONS = [
    (nn.ReLU(), {"activation": "relu"}),
    (nn.ReLU6(), {"activation": "relu6"}),
    (nn.LeakyReLU(0.3), {"activation": "leaky relu", "negative_slope": 0.3}),
    (nn.ELU(0.7), {"activation": "elu", "alpha": 0.7}),
    (nn.CELU(0.7), {"activation": "celu", "alpha": 0.7}),
    (nn.SELU(), {"activation": "selu"}),
    (nn.GELU(), {"activation": "gelu"}),
    (nn.GELU(approximate="tanh"), {"activation": "gelu, tanh approximation"}),
    (nn.SiLU(), {"activation": "silu"}),
    (nn.Mish(), {"activation": "mish"}),
    (nn.Softplus(beta=2), {"activation": "softplus", "beta": 2.0}),
    (nn.Hardsigmoid(), {"activation": "hard sigmoid, x / 6 + 0.5"}),
    (Call(lambda x: torch.clamp(0.2 * x + 0.5, 0, 1)), {"activation": "hard sigmoid, 0.2 x + 0.5"}),
    (nn.Hardswish(), {"activation": "hard swish"}),
    (nn.Softmax(dim=1), {"activation": "softmax", "axis": -2}),
    (nn.LogSoftmax(dim=-1), {"activation": "log softmax", "axis": -1}),
    (Call(lambda x: torch.softmax(x / 3, -1)), {"activation": "softmax", "scale": 1 / 3}),
    (Call(lambda x: x * 2.5), {"scale": 2.5}),
    (Call(lambda x: x / 255 - 0.5), {"scale": 1 / 255, "offset": -0.5}),
]
SPATIAL = [
    (nn.MaxPool2d(2), (3, 4, 9, 9), {"kind": "max pooling", "pool_size": 2, "stride": 2, "padding": "valid"}),
    (nn.MaxPool2d(3, 2, padding=1), (3, 4, 8, 8), {"kind": "max pooling", "padding": "1"}),
    (
        Call(lambda x: functional.max_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, 2)),
        (3, 4, 8, 8),
        {"kind": "max pooling", "pads_with": "zeros"},
    ),
    (nn.AvgPool2d(3, 2, padding=1), (3, 4, 8, 8), {"kind": "average pooling", "count_include_pad": True}),
    (
        nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        (3, 4, 8, 8),
        {"kind": "average pooling", "count_include_pad": False},
    ),
    (nn.AvgPool2d(2, ceil_mode=True), (3, 4, 7, 7), {"kind": "average pooling", "ceil_mode": True}),
    (nn.MaxPool1d(2), (3, 4, 8), {"kind": "max pooling", "pool_size": 2}),
    (nn.Conv2d(4, 6, 3, padding=1), (3, 4, 8, 8), {"stride": 1, "padding": "same"}),
    (nn.Conv2d(4, 6, 3, 2, padding=1), (3, 4, 8, 8), {"stride": 2, "padding": "1"}),
    (
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 6, 3, 2)),
        (3, 4, 8, 8),
        {"stride": 2, "padding": "same"},
    ),
    (nn.Conv2d(4, 6, 3, dilation=2, groups=2), (3, 4, 9, 9), {"dilation": 2, "padding": "valid"}),
    (nn.Conv1d(4, 6, 3), (3, 4, 9), {"stride": 1, "padding": "valid"}),
    (nn.ConvTranspose2d(4, 6, 3, 2, padding=1, output_padding=1), (3, 4, 5, 5), {"stride": 2, "padding": "1"}),
    (nn.Upsample(scale_factor=2), (3, 4, 5, 5), {"method": "nearest"}),
    (
        nn.Upsample(scale_factor=2, mode="bilinear"),
        (3, 4, 5, 5),
        {"method": "bilinear", "coordinates": "half-pixel centers"},
    ),
    (
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        (3, 4, 5, 5),
        {"method": "bilinear", "coordinates": "aligned corners"},
    ),
    (Call(lambda x: x.mean((2, 3))), (3, 4, 5, 5), {"reduction": "mean", "axis": (2, 3)}),
    (Call(lambda x: x.std(1)), (3, 4, 5), {"reduction": "standard deviation", "axis": (1,), "variance": "unbiased"}),
    (Call(lambda x: x.amax(1)), (3, 4, 5), {"reduction": "max", "axis": (1,)}),
    (Call(lambda x: x.flip(1)), (3, 4, 5), {"reversed": 1}),
    (Call(lambda x: x.permute(0, 2, 3, 1).flatten(1)), (3, 4, 5, 6), {"order": (0, 2, 3, 1)}),
    (nn.ReflectionPad2d(1), (3, 4, 5, 5), {"mode": "reflect"}),
]
SEQUENCES = [
    (nn.LSTM(4, 5, batch_first=True), {"recurrent_activation": "sigmoid", "forget_bias": 0.0}),
    (nn.GRU(4, 5, batch_first=True), {"reset_after": True}),
    (nn.RNN(4, 5, batch_first=True, nonlinearity="relu"), {"activation": "relu"}),
    (nn.LSTM(4, 5, 2, batch_first=True), {"recurrent_activation": "sigmoid", "stacked": 2, "both_ways": False}),
    (nn.GRU(4, 3, 2, batch_first=True, bidirectional=True), {"reset_after": True, "stacked": 2, "both_ways": True}),
    (
        nn.Sequential(nn.GRU(4, 3, batch_first=True, bidirectional=True), Call(lambda made: (made[0][:, -1],))),
        {"both_ways": True, "backward_output": "of the last token"},
    ),
    (
        Call(lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True)),
        {"heads": 1, "scale": 0.5, "mask": "causal"},
    ),
    (
        Call(lambda x: functional.scaled_dot_product_attention(x, x, x, scale=0.3)),
        {"heads": 1, "scale": 0.3, "mask": "none"},
    ),
    (Attention(4, 2, batch_first=True), {"heads": 2, "mask": "none"}),
    (Causal(4, 4, batch_first=True), {"heads": 4, "mask": "causal"}),
]


def assert_among(settings, expected):
    """Some reading has all that is expected; numbers to six digits."""
    assert any(matches(one, expected) for one in settings), settings[:3]


def matches(one, expected):
    return all(
        one.get(name) == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)
        for name, value in expected.items()
    )


@pytest.mark.parametrize(("module", "shape", "training", "expected"), NORMALIZATIONS)
def test_a_normalization_is_known_by_its_numbers(module, shape, training, expected):
    assert_among(settings_of(module, rows(*shape), training), expected)


@pytest.mark.parametrize(("module", "expected"), ACTIVATIONS)
def test_an_activation_is_known_by_its_numbers(module, expected):
    assert_among(settings_of(module, rows(6, 5, 8)), expected)


@pytest.mark.parametrize(("module", "shape", "expected"), SPATIAL)
def test_a_layer_over_space_is_known_by_its_numbers(module, shape, expected):
    assert_among(settings_of(module, rows(*shape)), expected)


@pytest.mark.parametrize(("module", "expected"), SEQUENCES)
def test_a_layer_over_time_is_known_by_its_numbers(module, expected):
    assert_among(settings_of(module, rows(3, 6, 4)), expected)


def test_an_embedding_shows_its_scale():
    class Scaled(nn.Embedding):
        def forward(self, x):
            return super().forward(x) * 8**0.5

    assert_among(settings_of(Scaled(9, 8), tokens(9, 4, 5)), {"scale": 8**0.5})


@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_a_dropout_shows_its_rate(rate):
    assert_among(settings_of(nn.Dropout(rate), rows(8, 40), training=True), {"rate": rate, "noise": "elements"})


def test_a_mean_over_time_shows_whether_padding_counts():
    rng = np.random.default_rng(0)
    tokens = np.where(np.arange(6) < 4, rng.integers(1, 5, (5, 6)), 0)
    examples = [Example(x, (x[:, :4]).mean(1), {}, [tokens]) for x in rng.normal(size=(3, 5, 6, 2))]
    seen = np.array([one.y.ravel() for one in examples])
    (found,) = identify_joint(Evidence(tuple(examples), seen, [seen * (1 + 1e-7)]), [])
    assert dict(found.settings) == {"reduction": "mean", "axis": (1,), "mask": True}


def test_what_is_no_known_layer_is_given_no_name():
    odd = Call(lambda x: torch.sin(3 * x) + x.roll(1, -1))
    assert settings_of(odd, rows(6, 8)) == []


@pytest.mark.parametrize("seed", range(4))
def test_any_shapes_can_be_asked_about(seed):
    rng = np.random.default_rng(seed)
    module = nn.ModuleList([nn.Conv2d(2, 3, 3), nn.Linear(3, 2), nn.GRU(2, 3), nn.LSTM(2, 2), nn.BatchNorm1d(3)])
    module.extend([nn.Embedding(5, 3), nn.MultiheadAttention(2, 1), nn.LayerNorm((2, 3)), nn.ConvTranspose1d(2, 3, 2)])
    layers = layers_of(module)
    for _ in range(6):
        shapes = [(2, *rng.integers(1, 5, rng.integers(0, 5))) for _ in range(2)]
        seen = rng.normal(size=(3, int(np.prod(shapes[1]))))
        examples = tuple(Example(rng.normal(size=shapes[0]), one.reshape(shapes[1]), layers) for one in seen)
        assert identify(Evidence(examples, seen, [seen + 1e-7]), bool(seed % 2), list(layers)) == []


PROGRAM = """
import torch
from torch import nn
from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, middle):
        super().__init__()
        self.before, self.middle, self.after = nn.Linear(5, 8), middle, nn.LazyLinear(3)

    def forward(self, x):
        return self.after(self.middle(self.before(x)))


def program(middle, still=()):
    torch.manual_seed(0)
    model = Net(middle)
    model(torch.zeros(2, 5))
    for layer in still:
        layer.eval()
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=torch.optim.SGD(model.parameters(), 0.1))


class Wave(nn.Module):
    def forward(self, x):
        return torch.sin(3 * x) + x.roll(1, -1)


class Half(nn.Tanh):
    def forward(self, x):
        return torch.tanh(x.bfloat16()).float()


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Fold(nn.Module):
    def forward(self, x):
        return x.reshape(len(x), 2, 4)


class Convolve(nn.Module):
    def __init__(self, turn=lambda x: x.transpose(1, 2)):
        super().__init__()
        self.turn, self.inner = turn, nn.Conv1d(4, 3, 1)

    def forward(self, x):
        return self.inner(self.turn(x)).transpose(1, 2)


class Attend(nn.Module):
    def __init__(self, scale=None):
        super().__init__()
        self.scale = scale
        self.query, self.key, self.value = nn.Linear(2, 4), nn.Linear(2, 4), nn.Linear(2, 4)

    def forward(self, x):
        x = x.reshape(len(x), 4, 2)
        made = nn.functional.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x), scale=self.scale)
        return made.flatten(1)


def stopped():
    layer = nn.Dropout(0.5)
    return program(nn.Sequential(nn.Tanh(), layer), still=[layer])


def frozen():
    layer = nn.BatchNorm1d(8)
    return program(nn.Sequential(layer, nn.ReLU()), still=[layer])


def left():
    return {left}


def right():
    return {right}
"""
PAIRS = [
    ("nn.Tanh()", "nn.ReLU()", {("forward", "activation"): ("tanh", "relu")}),
    ("nn.LeakyReLU(0.2)", "nn.LeakyReLU()", {("forward", "negative_slope"): (0.2, 0.01)}),
    (
        "nn.Sequential(nn.LayerNorm(8, eps=1e-6), nn.GELU())",
        "nn.Sequential(nn.LayerNorm(8), nn.GELU(approximate='tanh'))",
        {
            ("forward", "epsilon"): (1e-6, 1e-5),
            ("forward", "activation"): ("gelu", "gelu, tanh approximation"),
        },
    ),
    (
        "nn.Sequential(nn.BatchNorm1d(8, eps=1e-3), nn.ReLU(), nn.BatchNorm1d(8, eps=1e-3))",
        "nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), nn.BatchNorm1d(8))",
        {("forward", "epsilon"): (1e-3, 1e-5)},
    ),
    ("nn.BatchNorm1d(8)", "nn.BatchNorm1d(8, momentum=0.01)", {("buffers", "momentum"): (0.9, 0.99)}),
    ("nn.BatchNorm1d(8)", "nn.BatchNorm1d(8, momentum=0.9)", {("buffers", "momentum"): (0.9, 0.1)}),
    (
        "nn.Sequential(Fold(), Convolve(), nn.Flatten())",
        "nn.Sequential(Fold(), Convolve(turn=lambda x: x.transpose(1, 2)[:, [3, 2, 1, 0]]), nn.Flatten())",
        {("forward", "reversed"): ("no axis", "axis 2")},
    ),
    ("nn.Dropout(0.5)", "nn.Dropout(0.2)", {("forward", "rate"): (0.5, 0.2)}),
    ("nn.Sequential(nn.ReLU(), nn.Dropout(0.5))", "nn.ReLU()", {("mode", "training"): (True, False)}),
    ("nn.Tanh()", "Half()", {("dtype", "compute_dtype"): ("float32", "bfloat16")}),
    (
        "nn.Sequential(Fold(), nn.Softmax(1), nn.Flatten())",
        "nn.Sequential(Fold(), nn.Softmax(0), nn.Flatten())",
        {("forward", "axis"): (-2, 0)},
    ),
    (
        "nn.Sequential(Fold(), nn.LayerNorm(4, elementwise_affine=False), nn.Flatten())",
        "nn.Sequential(Fold(), nn.LayerNorm((2, 4), elementwise_affine=False), nn.Flatten())",
        {("forward", "axis"): ([-1], [-2, -1])},
    ),
    (
        "nn.Sequential(Fold(), nn.AvgPool1d(3), nn.AdaptiveAvgPool1d(1), nn.Flatten())",
        "nn.Sequential(Fold(), nn.AvgPool1d(3, ceil_mode=True), nn.AdaptiveAvgPool1d(1), nn.Flatten())",
        {("forward", "ceil_mode"): (False, True)},
    ),
    (
        "nn.Sequential(Fold(), Convolve(), nn.Flatten())",
        "nn.Sequential(Fold(), Convolve(turn=lambda x: x.reshape(len(x), 4, 2)), nn.Flatten())",
        {("forward", "layout"): ("transposed", "reshaped")},
    ),
    (
        "nn.Sequential(Times(1 / 3), nn.Tanh())",
        "nn.Sequential(Times(1 / 4), nn.Tanh())",
        {("forward", "scale"): (1 / 3, 0.25)},
    ),
    ("Attend()", "Attend(scale=1.0)", {("forward", "scale"): (0.5, 1.0)}),
]


def causes_of(program, left, right, steps=2):
    path = program(PROGRAM.replace("{left}", left).replace("{right}", right))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 5)).astype(np.float32)
    data = x, (x.sum(1) > 0).astype(np.int64)
    return match.match(f"{path}:left", f"{path}:right", data=data, batch_size=16, steps=steps)


@pytest.mark.parametrize(("left", "right", "expected"), PAIRS)
def test_a_match_names_the_setting_of_the_layer(kept, program, left, right, expected):
    result = causes_of(program, f"program({left})", f"program({right})")
    found = {(c.component, c.setting): (c.left, c.right) for c in result.causes}
    assert found == {
        key: pytest.approx(value) if isinstance(value[0], float) else value for key, value in expected.items()
    }
    assert all(cause.confirmed for cause in result.causes)


def test_a_frozen_normalization_is_a_matter_of_mode(kept, program):
    result = causes_of(program, "frozen()", "program(nn.Sequential(nn.BatchNorm1d(8), nn.ReLU()))")
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes] == [("mode", "training", False, True)]


def test_a_dropout_that_does_not_drop_is_a_matter_of_mode(kept, program):
    result = causes_of(program, "program(nn.Sequential(nn.Tanh(), nn.Dropout(0.5)))", "stopped()")
    assert [(c.component, c.setting, c.left, c.right) for c in result.causes] == [("mode", "training", True, False)]


def test_what_is_called_at_each_step_in_time_is_told_from_operations_of_one_name():
    cell, sums = ({f"a|{name}#{i}": np.zeros((2, size)) for i in range(6)} for name, size in (("cell", 3), ("add", 4)))
    seen = {"x|x": np.zeros((2, 6, 3)), **cell, **dict(list(sums.items())[:5])}
    assert _without_steps(seen, list(seen)) == ["x|x", *list(sums)[:5]]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_half_precision_is_known_by_its_numbers(dtype):
    x = torch.randn(200)
    half = x.to(getattr(torch, dtype)).double().numpy()
    assert precision_of(half) == dtype
    assert precision_of(x.double().numpy()) is None
    assert np.array_equal(rounded(x.double().numpy(), dtype), half)


def test_what_is_rounded_to_multiples_of_one_number_is_no_half_precision():
    assert precision_of(torch.round(torch.tanh(torch.randn(200)) * 256).double().numpy() / 256) is None


def test_a_fix_is_a_line_of_the_framework_with_the_layers_it_is_for(kept, program):
    (cause,) = causes_of(program, "program(nn.LayerNorm(8, eps=1e-6))", "program(nn.LayerNorm(8))").causes
    assert cause.fix == "right: nn.LayerNorm(…, eps=1e-06) in middle; or left: nn.LayerNorm(…, eps=1e-05) in middle"


def test_an_unknown_layer_has_no_cause_and_a_note_says_what_is_known(kept, program):
    result = causes_of(program, "program(nn.ReLU())", "program(Wave())")
    assert result.causes == ()
    note = next(stage.note for stage in result.stages if stage.stage == "forward")
    assert "the left side computes activation (activation=relu); no known layer reproduces the right one" in note
