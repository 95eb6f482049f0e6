"""The line that makes one side's layer do as the other's, in its own framework's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fitting import Fit
from samestep.explain.fixes import both_ways, shown
from samestep.explain.references.layers.normalizations import BATCH
from samestep.results import Cause

CAUSAL = "causal"
"""The mask that hides what lies ahead."""
COMPONENTS = {
    "statistics": ("mode", "training"),
    "dropping": ("mode", "training"),
    "compute_dtype": ("dtype", "compute_dtype"),
}
"""Component and setting of what is not simply a part of the forward pass."""
KINDS: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "batch normalization": "nn.BatchNorm",
        "layer normalization": "nn.LayerNorm",
        "group normalization": "nn.GroupNorm",
        "instance normalization": "nn.InstanceNorm",
        "RMS normalization": "nn.RMSNorm",
        "dense": "nn.Linear",
        "convolution": "nn.Conv",
        "max pooling": "nn.MaxPool",
        "average pooling": "nn.AvgPool",
        "dropout": "nn.Dropout",
        "attention": "nn.MultiheadAttention",
        "dot-product attention": "nn.functional.scaled_dot_product_attention",
        "simple recurrent": "nn.RNN",
        "LSTM": "nn.LSTM",
        "GRU": "nn.GRU",
    },
    "keras": {
        "batch normalization": "BatchNormalization",
        "layer normalization": "LayerNormalization",
        "group normalization": "GroupNormalization",
        "instance normalization": "GroupNormalization(groups=-1)",
        "RMS normalization": "RMSNormalization",
        "dense": "Dense",
        "convolution": "Conv",
        "max pooling": "MaxPooling",
        "average pooling": "AveragePooling",
        "dropout": "Dropout",
        "attention": "MultiHeadAttention",
        "dot-product attention": "Attention",
        "simple recurrent": "SimpleRNN",
    },
    "jax": {
        "batch normalization": "nn.BatchNorm",
        "layer normalization": "nn.LayerNorm",
        "group normalization": "nn.GroupNorm",
        "instance normalization": "nn.InstanceNorm",
        "RMS normalization": "nn.RMSNorm",
        "dense": "nn.Dense",
        "convolution": "nn.Conv",
        "dropout": "nn.Dropout",
        "attention": "nn.MultiHeadDotProductAttention",
        "dot-product attention": "jax.nn.dot_product_attention",
    },
}
"""What each framework calls a kind of layer."""
HOMES = {"keras": "keras.layers.", "tf_keras": "tf_keras.layers.", "keras2": "keras.layers."}
ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "torch": {"epsilon": "eps", "rate": "p", "groups": "num_groups"},
    "tensorflow": {"epsilon": "variance_epsilon"},
    "tensorflow1": {"epsilon": "variance_epsilon"},
    "keras": {"stride": "strides", "dilation": "dilation_rate"},
    "jax": {"groups": "num_groups", "stride": "strides", "dilation": "kernel_dilation"},
}
"""A setting's name in each framework, where it is not the one that is used here."""
ACTIVATIONS: Mapping[str, tuple[str, str, str, str]] = {
    "relu": ("nn.ReLU()", '"relu"', "jax.nn.relu", "tf.nn.relu"),
    "sigmoid": ("nn.Sigmoid()", '"sigmoid"', "jax.nn.sigmoid", "tf.nn.sigmoid"),
    "tanh": ("nn.Tanh()", '"tanh"', "jnp.tanh", "tf.nn.tanh"),
    "gelu": (
        "nn.GELU()",
        "keras.activations.gelu with approximate=False",
        "jax.nn.gelu(…, approximate=False)",
        "tf.nn.gelu",
    ),
    "gelu, tanh approximation": (
        'nn.GELU(approximate="tanh")',
        "keras.activations.gelu with approximate=True",
        "jax.nn.gelu",
        "tf.nn.gelu(…, approximate=True)",
    ),
    "gelu, sigmoid approximation": ("x * torch.sigmoid(1.702 * x)",) * 2
    + ("x * jax.nn.sigmoid(1.702 * x)", "x * tf.sigmoid(1.702 * x)"),
    "silu": ("nn.SiLU()", '"silu"', "jax.nn.silu", "tf.nn.silu"),
    "mish": ("nn.Mish()", '"mish"', "jax.nn.mish", "x * tf.tanh(tf.nn.softplus(x))"),
    "relu6": ("nn.ReLU6()", '"relu6"', "jax.nn.relu6", "tf.nn.relu6"),
    "selu": ("nn.SELU()", '"selu"', "jax.nn.selu", "tf.nn.selu"),
    "softsign": ("nn.Softsign()", '"softsign"', "jax.nn.soft_sign", "tf.nn.softsign"),
    "softplus": ("nn.Softplus()", '"softplus"', "jax.nn.softplus", "tf.nn.softplus"),
    "hard sigmoid, x / 6 + 0.5": (
        "nn.Hardsigmoid()",
        '"hard_sigmoid" of Keras 3',
        "jax.nn.hard_sigmoid",
        "tf.nn.relu6(x + 3) / 6",
    ),
    "hard sigmoid, 0.2 x + 0.5": (
        "torch.clamp(0.2 * x + 0.5, 0, 1)",
        "keras.ops.clip(0.2 * x + 0.5, 0, 1)",
        "jnp.clip(0.2 * x + 0.5, 0, 1)",
        "tf.clip_by_value(0.2 * x + 0.5, 0., 1.)",
    ),
    "hard swish": ("nn.Hardswish()", '"hard_silu"', "jax.nn.hard_swish", "x * tf.nn.relu6(x + 3) / 6"),
    "hard tanh": ("nn.Hardtanh()", '"hard_tanh"', "jax.nn.hard_tanh", "tf.clip_by_value(x, -1., 1.)"),
    "leaky relu": (
        "nn.LeakyReLU(negative_slope={negative_slope})",
        "keras.layers.LeakyReLU(negative_slope={negative_slope})",
        "jax.nn.leaky_relu(…, negative_slope={negative_slope})",
        "tf.nn.leaky_relu(…, alpha={negative_slope})",
    ),
    "elu": (
        "nn.ELU(alpha={alpha})",
        "keras.layers.ELU(alpha={alpha})",
        "jax.nn.elu(…, alpha={alpha})",
        "keras.activations.elu(…, alpha={alpha})",
    ),
    "celu": (
        "nn.CELU(alpha={alpha})",
        "keras.activations.celu(…, alpha={alpha})",
        "jax.nn.celu(…, alpha={alpha})",
        "keras.activations.celu(…, alpha={alpha})",
    ),
    "softmax": (
        "nn.Softmax(dim={axis})",
        "keras.layers.Softmax(axis={axis})",
        "jax.nn.softmax(…, axis={axis})",
        "tf.nn.softmax(…, axis={axis})",
    ),
    "log softmax": (
        "nn.LogSoftmax(dim={axis})",
        "keras.activations.log_softmax(…, axis={axis})",
        "jax.nn.log_softmax(…, axis={axis})",
        "tf.nn.log_softmax(…, axis={axis})",
    ),
    "none": ("no activation",) * 4,
}
"""An activation in PyTorch, Keras, JAX and TensorFlow."""
COLUMNS = {"torch": 0, "keras": 1, "tf_keras": 1, "keras2": 1, "jax": 2, "tensorflow": 3, "tensorflow1": 3}
UNCHANGED = {"scale": 1.0, "offset": 0.0}
"""What a side without a scaling does."""
OF_ACTIVATIONS = ("activation", "negative_slope", "alpha", "beta")
"""Settings that are told by the whole activation."""


def layer_line(framework: str, fit: Fit, setting: str, other: Fit, layers: Sequence[str]) -> str:
    """The line that gives layers of this framework, which do as `fit`, a setting of the other one."""
    where = ", ".join(layers)
    value = other.variant.name if setting == "kind" and "kind" not in other.settings else other.settings.get(setting)
    if setting in ("scale", "offset", "mask") and "axis" in {**fit.settings, **other.settings}:
        return f"{setting} {_written(value)} of what goes into {where}"
    if "scaling" in (fit.variant.name, other.variant.name) and setting in UNCHANGED:
        return f"{setting} {_written(other.settings.get(setting, UNCHANGED[setting]))} in {where}"
    if setting in OF_ACTIVATIONS and "activation" in other.settings:
        return f"{_activation(framework, other)} in {where}"
    if setting == "statistics":
        return f"{where}: {_statistics(framework, value == BATCH)}"
    if setting == "dropping":
        return _dropping(framework, float(other.settings.get("rate", 0.0)), where)
    if setting in ("scale", "mask") and fit.variant.name.endswith("attention"):
        return _attending(framework, fit, setting, value, where)
    if setting == "compute_dtype":
        return f"{_precision(framework, str(value))}, for {where}"
    if setting == "mask" and isinstance(value, bool):
        return f"{'leave out' if value else 'count'} what is padding, token 0, in {where}"
    if setting == "channel_order":
        return f"{value} channels for {where}: flip the axis of the channels"
    if setting == "layout":
        ways = {"transposed": "transpose what goes into {}, no reshape", "reshaped": "reshape what goes into {}"}
        return ways[str(value)].format(where)
    if setting == "axis" and isinstance(value, list):
        return f"{_layer(framework, str(fit.settings['kind']))}(…) over axes {value} in {where}"
    if setting == "kind":
        return f"{_layer(framework, str(value))}(…) in {where}"
    names = ARGUMENTS.get(_family(framework), {})
    kind = str(fit.settings.get("kind", fit.variant.name))
    return f"{_layer(framework, kind)}(…, {names.get(setting, setting)}={_written(value)}) in {where}"


def _activation(framework: str, other: Fit) -> str:
    made = ACTIVATIONS.get(str(other.settings["activation"]))
    if made is None:
        return ", ".join(f"{name} = {_written(value)}" for name, value in other.settings.items())
    line = made[COLUMNS.get(framework, 0)]
    return line.format(**{name: shown(value) for name, value in other.settings.items()})


def _layer(framework: str, kind: str) -> str:
    return HOMES.get(framework, "") + KINDS.get(_family(framework), {}).get(kind, kind)


def _family(framework: str) -> str:
    return "keras" if framework in HOMES else framework


def _statistics(framework: str, of_batch: bool) -> str:
    """How a batch normalisation is made to use statistics of the batch while it trains, or its moving averages."""
    if framework == "torch":
        return (
            "leave it in training mode: .train()" if of_batch else "keep it in inference mode while training: .eval()"
        )
    if framework in HOMES:
        return "trainable = True, and called with training=True" if of_batch else "trainable = False, before compile"
    if framework == "jax":
        return f"use_running_average={not of_batch} while training"
    return f"training={of_batch} while training"


def _attending(framework: str, fit: Fit, setting: str, value: Any, where: str) -> str:
    """How an attention is scaled or masked."""
    made = _layer(framework, fit.variant.name)
    if setting == "mask":
        argument = "use_causal_mask" if framework in HOMES else "is_causal"
        return f"{made}(…, {argument}={value == CAUSAL}) in {where}"
    if framework in ("torch", "jax") and fit.variant.name == "dot-product attention":
        return f"{made}(…, scale={shown(value)}) in {where}"
    return f"queries times keys scaled by {shown(value)} before the softmax in {where}"


def _precision(framework: str, dtype: str) -> str:
    """How layers are made to compute in this precision."""
    full = dtype == "float32"
    if framework == "torch":
        return "no torch.autocast, or one with enabled=False" if full else f"torch.autocast(…, torch.{dtype})"
    if framework in HOMES:
        return f'dtype="{"" if full else "mixed_"}{dtype}"'
    return f"dtype=jnp.{dtype}" if framework == "jax" else f"tf.cast(…, tf.{dtype}) of inputs and weights"


def buffer_cause(case: Case, difference: tuple[str, Any, Any], layers: Sequence[str]) -> Cause:
    """A confirmed setting in which moving averages differ."""
    setting, left, right = difference
    fix = both_ways(case, lambda framework, side: _buffer_line(framework, setting, (right, left)[side]))
    return Cause("buffers", setting, left, right, True, f"{fix}; in {', '.join(layers)}")


def _buffer_line(framework: str, setting: str, value: Any) -> str:
    """How a batch normalisation keeps this share, or averages this variance; PyTorch's momentum is the share of the new."""
    made = _layer(framework, "batch normalization")
    if setting == "momentum":
        return f"{made}(…, momentum={shown(round(1 - value, 6) if framework == 'torch' else value)})"
    return f"{made} has no argument for it; a moving average of the {value} variance has to be written by hand"


def _dropping(framework: str, rate: float, where: str) -> str:
    """How a dropout is put in place, or taken away."""
    made = _layer(framework, "dropout")
    return (
        f"no dropout in {where}"
        if rate == 0
        else f"{made}({shown(rate)}) in training mode, as in {where} of the other side"
    )


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else shown(value)


def layer_cause(
    case: Case, difference: tuple[str, Any, Any], pair: tuple[Fit, Fit], layers: tuple[Sequence[str], Sequence[str]]
) -> Cause:
    """A confirmed setting in which layers differ, with the line for either side; layers: their names on both."""
    setting, left, right = difference

    def line(framework: str, side: int) -> str:
        return layer_line(framework, pair[side], setting, pair[1 - side], layers[side])

    component, name = COMPONENTS.get(setting, ("forward", setting))
    values = (left, right)
    if setting == "mask" and not isinstance(left, bool):
        values = (left if left == CAUSAL else None, right if right == CAUSAL else None)
    if component == "mode":
        values = (left == BATCH, right == BATCH) if setting == "statistics" else (left > 0, right > 0)
    return Cause(component, name, *values, True, both_ways(case, line))
