"""What the axes of the weights of Keras layers mean, the same in Keras 3 and in Keras 2. Imports no framework.

The words are those of samestep/matching/layouts.py. data_format is the data's: kernels lie alike in both of its kinds. The
orders of the gates are those of keras/src/layers/rnn: i f c o in LSTM, where c is here g, and z r h in GRU, where h is n.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Tuple

BIAS = {"bias": "bias: out"}
DENSE = dict(BIAS, kernel="kernel: in out")
SCALES = {
    "gamma": "gamma: out",
    "beta": "beta: out",
    "scale": "gamma: out",
    "moving_mean": "mean: out",
    "moving_variance": "variance: out",
}
LAYOUTS: Dict[str, Dict[str, Any]] = {
    "Dense": DENSE,
    "Embedding": {"embeddings": "embeddings: token out"},
    "BatchNormalization": SCALES,
    "SyncBatchNormalization": SCALES,
    "LayerNormalization": SCALES,
    "GroupNormalization": SCALES,
    "RMSNormalization": SCALES,
    "SimpleRNNCell": dict(DENSE, recurrent_kernel="recurrent: in out"),
    "LSTMCell": {
        "kernel": "kernel: in i,f,g,o*out",
        "recurrent_kernel": "recurrent: in i,f,g,o*out",
        "bias": "bias: i,f,g,o*out",
    },
    "GRUCell": {
        "kernel": "kernel: in z,r,n*out",
        "recurrent_kernel": "recurrent: in z,r,n*out",
        "bias": ("bias: z,r,n*out", ": bias,recurrent_bias z,r,n*out"),  # without and with reset_after
    },
}
"""{class: {weight: its layout, or several for different numbers of axes}}"""

for _rank in (1, 2, 3):
    _space = " ".join("d{}".format(axis) for axis in range(_rank))
    _depthwise = "kernel: {} out out".format(_space)
    LAYOUTS["Conv{}D".format(_rank)] = dict(BIAS, kernel="kernel: {} in out".format(_space))
    LAYOUTS["Conv{}DTranspose".format(_rank)] = dict(BIAS, kernel="kernel: {} out in".format(_space))
    LAYOUTS["DepthwiseConv{}D".format(_rank)] = dict(BIAS, kernel=_depthwise, depthwise_kernel=_depthwise)
    LAYOUTS["SeparableConv{}D".format(_rank)] = dict(
        BIAS, depthwise_kernel=_depthwise, pointwise_kernel="kernel: {} in out".format(_space)
    )

ATTENTION = {"_query_dense": "query", "_key_dense": "key", "_value_dense": "value", "_output_dense": "output"}
"""{attribute of an attention layer: which projection it is}"""
PROJECTING = ("MultiHeadAttention", "GroupedQueryAttention")
KERAS = ("keras", "tf_keras", "tensorflow")


def layouts(layers: Iterable[Any], own_weights: Callable[[Any], Dict[str, Any]]) -> Dict[int, Tuple[Any, str]]:
    """{id of a weight: (its layer, its layout)} of those weights of which the layout is known.

    layers: all layers of a model, those within others too; own_weights(layer): {name within the layer: weight}. The
    projections of an attention belong to the layer that attends.
    """
    layers = list(layers)
    projections = {id(part): (layer, label) for layer in layers for part, label in _projections(layer)}
    found: Dict[int, Tuple[Any, str]] = {}
    for layer in layers:
        owner, table = layer, _table(layer)
        if id(layer) in projections:
            owner, label = projections[id(layer)]
            table = _projection(label)
        for name, weight in own_weights(layer).items():
            layout = _fitting(table.get(name, ()), len(weight.shape))
            if layout:
                found[id(weight)] = owner, layout
    return found


def _fitting(choices: Any, axes: int) -> str:
    """The layout of so many axes, or nothing: a normalisation over several axes has none."""
    choices = (choices,) if isinstance(choices, str) else choices
    return next((layout for layout in choices if len(layout.partition(":")[2].split()) == axes), "")


def _table(layer: Any) -> Dict[str, Any]:
    """The layouts for a layer of Keras, or of a class that derives from one and uses its weights as it does."""
    listed = _class(layer, tuple(LAYOUTS))
    if listed is not None:
        return LAYOUTS[listed.__name__]
    return DENSE if _class(layer, ("EinsumDense",)) is not None and _is_dense(layer.equation) else {}


def _class(layer: Any, names: Tuple[str, ...]) -> Any:
    """The one of these classes of Keras that a layer is of, or derives from without another way to build or call; or None."""
    kind: Any = type(layer)
    for cls in kind.__mro__:
        if cls.__name__ in names and cls.__module__.split(".")[0] in KERAS:
            same = kind.call is cls.call and kind.build is cls.build
            return cls if same else None
    return None


def _is_dense(equation: str) -> bool:
    """Whether an einsum is a matrix product over the last axis: ab,bc->ac or abc,cd->abd or ...a,ab->...b."""
    inputs, _, rest = equation.replace(" ", "").partition(",")
    kernel, _, outputs = rest.partition("->")
    return len(kernel) == 2 and inputs[-1:] == kernel[0] and outputs == inputs[:-1] + kernel[1]


def _projections(layer: Any) -> Iterable[Tuple[Any, str]]:
    if _class(layer, PROJECTING) is None:
        return []
    return [
        (getattr(layer, name), label) for name, label in ATTENTION.items() if getattr(layer, name, None) is not None
    ]


def _projection(label: str) -> Dict[str, Any]:
    """Layouts of the kernels (D, heads, dim) and (heads, dim, D) of an attention, and of their biases."""
    if label == "output":
        return {"kernel": "kernel output: in in out", "bias": "bias output: out"}
    return {"kernel": "kernel {}: in out out".format(label), "bias": "bias {}: out out".format(label)}
