"""What the axes of the parameters and buffers of Flax's and Equinox's layers mean.

A layout here is a template: ``*`` stands for as many spatial axes d0, d1, … as the tensor has beside the others, ``in…`` for
those of `axis` that a general dense layer contracts and ``out…`` for the others.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Tuple

import jax
import numpy as np

from samestep.frameworks import _jax_trees as trees

Layouts = Dict[str, Tuple[str, str]]
"""{name of a parameter or buffer: (path of its layer, layout)}"""

FLAX_NORM = {"scale": "gamma: out", "bias": "beta: out", "mean": "mean: out", "var": "variance: out"}
FLAX_DENSE = {"kernel": "kernel: in out", "bias": "bias: out"}
FLAX_GENERAL = {"kernel": "kernel: in… out…", "bias": "bias: out…"}
FLAX_CONV = {"kernel": "kernel: * in out", "bias": "bias: out"}
FLAX_CONV_TRANSPOSE = {"kernel": "kernel: -* in out", "bias": "bias: out"}
FLAX_CONV_TRANSPOSED_KERNEL = {"kernel": "kernel: * out in", "bias": "bias: out"}
FLAX_ATTENTION = {
    "query/kernel": "kernel query: in out out",
    "query/bias": "bias query: out out",
    "key/kernel": "kernel key: in out out",
    "key/bias": "bias key: out out",
    "value/kernel": "kernel value: in out out",
    "value/bias": "bias value: out out",
    "out/kernel": "kernel output: in in out",
    "out/bias": "bias output: out",
}
FLAX_LSTM_BY_GATE = dict(
    [("i{}/kernel".format(gate), "kernel {}: in out".format(gate)) for gate in "ifgo"]
    + [("if_/kernel", "kernel f: in out")]  # nnx, where `if` cannot be an attribute
    + [("h{}/kernel".format(gate), "recurrent {}: in out".format(gate)) for gate in "ifgo"]
    + [("h{}/bias".format(gate), "bias {}: out".format(gate)) for gate in "ifgo"]
)
FLAX_GRU_BY_GATE = dict(
    [("i{}/kernel".format(gate), "kernel {}: in out".format(gate)) for gate in "rzn"]
    + [("i{}/bias".format(gate), "bias {}: out".format(gate)) for gate in "rzn"]
    + [("h{}/kernel".format(gate), "recurrent {}: in out".format(gate)) for gate in "rzn"]
    + [("hn/bias", "recurrent_bias n: out")]
)
NNX_LSTM = {
    "dense_i/kernel": "kernel: in i,f,g,o*out",
    "dense_h/kernel": "recurrent: in i,f,g,o*out",
    "dense_h/bias": "bias: i,f,g,o*out",
}
NNX_GRU = {
    "dense_i/kernel": "kernel: in r,z,n*out",
    "dense_i/bias": "bias: r,z,n*out",
    "dense_h/kernel": "recurrent: in r,z,n*out",
}
NNX_SIMPLE = {"dense_i/kernel": "kernel: in out", "dense_i/bias": "bias: out", "dense_h/kernel": "recurrent: in out"}
LINEN_SIMPLE = {"i/kernel": "kernel: in out", "i/bias": "bias: out", "h/kernel": "recurrent: in out"}

LAYERS: Dict[str, Dict[str, Dict[str, str]]] = {
    "linen": {
        "BatchNorm": FLAX_NORM,
        "Conv": FLAX_CONV,
        "ConvTranspose": FLAX_CONV_TRANSPOSE,
        "Dense": FLAX_DENSE,
        "DenseGeneral": FLAX_GENERAL,
        "Embed": {"embedding": "embeddings: token out"},
        "GRUCell": FLAX_GRU_BY_GATE,
        "GroupNorm": FLAX_NORM,
        "InstanceNorm": FLAX_NORM,
        "LSTMCell": FLAX_LSTM_BY_GATE,
        "LayerNorm": FLAX_NORM,
        "MultiHeadDotProductAttention": FLAX_ATTENTION,
        "OptimizedLSTMCell": FLAX_LSTM_BY_GATE,
        "RMSNorm": FLAX_NORM,
        "SimpleCell": LINEN_SIMPLE,
    },
    "nnx": {
        "BatchNorm": FLAX_NORM,
        "Conv": FLAX_CONV,
        "ConvTranspose": FLAX_CONV_TRANSPOSE,
        "Embed": {"embedding": "embeddings: token out"},
        "GRUCell": NNX_GRU,
        "GroupNorm": FLAX_NORM,
        "InstanceNorm": FLAX_NORM,
        "LSTMCell": FLAX_LSTM_BY_GATE,
        "LayerNorm": FLAX_NORM,
        "Linear": FLAX_DENSE,
        "LinearGeneral": FLAX_GENERAL,
        "MultiHeadAttention": FLAX_ATTENTION,
        "OptimizedLSTMCell": NNX_LSTM,
        "RMSNorm": FLAX_NORM,
        "SimpleCell": NNX_SIMPLE,
    },
    "equinox": {
        "BatchNorm": {"weight": "gamma: out", "bias": "beta: out"},
        "Conv": {"weight": "kernel: out in *", "bias": "bias: out *"},
        "ConvTranspose": {"weight": "kernel: out in -*", "bias": "bias: out *"},
        "Embedding": {"weight": "embeddings: token out"},
        "GRUCell": {
            "weight_ih": "kernel: r,z,n*out in",
            "weight_hh": "recurrent: r,z,n*out in",
            "bias": "bias: r,z,n*out",
            "bias_n": "recurrent_bias n: out",
        },
        "GroupNorm": {"weight": "gamma: out", "bias": "beta: out"},
        "LSTMCell": {
            "weight_ih": "kernel: i,f,g,o*out in",
            "weight_hh": "recurrent: i,f,g,o*out in",
            "bias": "bias: i,f,g,o*out",
        },
        "LayerNorm": {"weight": "gamma: out", "bias": "beta: out"},
        "Linear": {"weight": "kernel: out in", "bias": "bias: out"},
        "MultiheadAttention": {
            "query_proj/weight": "kernel query: out in",
            "query_proj/bias": "bias query: out",
            "key_proj/weight": "kernel key: out in",
            "key_proj/bias": "bias key: out",
            "value_proj/weight": "kernel value: out in",
            "value_proj/bias": "bias value: out",
            "output_proj/weight": "kernel output: out in",
            "output_proj/bias": "bias output: out",
        },
        "RMSNorm": {"weight": "gamma: out", "bias": "beta: out"},
    },
}
"""By the kind of a model and the name of a layer's class, or of one that it derives from: its tensors by their paths."""


def layouts(model: Any, x: Any) -> Layouts:
    """The layer and the layout of each parameter and buffer whose layer is known; x: example rows."""
    tensors = {
        tuple(name.split("/")): leaf
        for tree in (model.params, model.state)
        for name, leaf in trees.leaves(tree).items()
    }
    found: Layouts = {}
    modules = model.modules(x) if model.kind in LAYERS else []
    for path, module in sorted(modules, key=lambda pair: pair[0].count("/")):  # those of a layer before those within it
        for name, layout in _declared(model.kind, module).items():
            for tensor in _at(tensors, path, name):
                filled = _filled(layout, np.ndim(tensors[tensor]), module)
                if filled is not None:
                    found.setdefault("/".join(tensor), (path, filled))
        found.update(_running_averages(model, path, module))
    return found


def _declared(kind: str, module: Any) -> Mapping[str, str]:
    if getattr(module, "transpose_kernel", False):
        return FLAX_CONV_TRANSPOSED_KERNEL
    table = LAYERS[kind]
    named = [cls.__name__ for cls in type(module).__mro__ if _is_of_library(cls)]
    return next((table[name] for name in named if name in table), {})


def _is_of_library(cls: Any) -> bool:
    return cls.__module__.split(".")[0] in ("flax", "equinox")


def _at(tensors: Mapping[trees.Path, Any], path: str, name: str) -> Iterator[trees.Path]:
    """Where a layer's tensor lies: below the layer's path, and in linen in a collection beside the parameters."""
    wanted = (*path.split("/"), *name.split("/"))
    for tensor in tensors:
        if tensor in (wanted, (*tensor[:1], *wanted)):
            yield tensor


def _filled(template: str, rank: int, module: Any) -> Any:
    """The layout of a tensor with so many axes, or None where the template is for another number."""
    labels, _, axes = template.partition(": ")
    tokens = axes.split()
    free = rank - sum(token not in ("*", "-*", "in…", "out…") for token in tokens)
    axis = getattr(module, "axis", -1)
    contracted = len(axis) if isinstance(axis, (tuple, list)) else 1
    filling = {
        "*": ["d{}".format(i) for i in range(free)],
        "-*": ["-d{}".format(i) for i in range(free)],
        "in…": ["in"] * contracted,
        "out…": ["out"] * (free - contracted if "in…" in tokens else free),
    }
    filled = [axis for token in tokens for axis in filling.get(token, [token])]
    return "{}: {}".format(labels, " ".join(filled)) if len(filled) == rank else None


def _running_averages(model: Any, path: str, module: Any) -> Layouts:
    """Equinox's BatchNorm keeps its averages in the state, in mode "batch" not as others do: without their bias corrected."""
    index = getattr(module, "ema_state_index", None)
    if model.kind != "equinox" or index is None or not hasattr(model.state, "get"):
        return {}
    names = {id(leaf): name for name, leaf in trees.leaves(model.state).items()}
    mean, variance = (names[id(leaf)] for leaf in jax.tree_util.tree_leaves(model.state.get(index)))
    return {mean: (path, "mean: out"), variance: (path, "variance: out")}
