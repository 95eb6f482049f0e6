"""What a Keras 3 model's layers are: what they hold, in which order they are used, and what they compute."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, List

import keras
import numpy as np
from keras.src.backend import compute_output_spec

from samestep.frameworks import _keras_layouts, _rows
from samestep.frameworks._names import free_name


def symbolic(x: Any) -> Any:
    """Inputs for a model in the shape of these rows: one, or a dict of them by name."""
    return _rows.each(lambda array: keras.Input(array.shape[1:], dtype=str(array.dtype)), x)


def entries(model: Any, variables: Dict[str, Any], calls: Dict[int, int]) -> List[Dict[str, Any]]:
    """Descriptions of variables by name, in the order of calls, see `order_of_calls`, with layer and layout where known."""
    layers = model._flatten_layers()
    known = _keras_layouts.layouts(layers, _own_weights)
    paths: Dict[str, Any] = {}
    for layer in layers:
        paths[free_name(layer.path or layer.name, paths)] = layer
    names = {id(layer): path for path, layer in paths.items()}
    ranks = _ranks(layers, calls)
    described = []
    for name, variable in sorted(variables.items(), key=lambda item: ranks.get(id(item[1]), len(ranks))):
        described.append(entry(name, variable))
        if id(variable) in known:
            layer, layout = known[id(variable)]
            described[-1].update(layer=names[id(layer)], layout=layout)
    return described


def entry(name: str, variable: Any) -> Dict[str, Any]:
    """The description of one variable."""
    return {"name": name, "shape": list(variable.shape), "dtype": str(variable.dtype)}


def order_of_calls(model: Any, x: Any) -> Dict[int, int]:
    """{id of a layer: place of its first call} in an inference pass over rows like x, without values.

    Empty where a model cannot be called so: then its weights are in the order in which they were made.
    """
    calls: Dict[int, int] = {}

    def note(layer: Any) -> None:
        calls.setdefault(id(layer), len(calls))

    try:
        with _calling(before=note):
            compute_output_spec(lambda inputs: model(inputs, training=False), symbolic(x))
    except Exception:
        return {}
    return calls


@contextlib.contextmanager
def recording(model: Any, values: Callable[[Any], Any], seen: Dict[str, np.ndarray]) -> Iterator[None]:
    """Note the float outputs of every layer under its name; a layer used again gets #2, #3, …

    values(tensor): its array, or None. Operations that are nodes of a functional model count as layers.
    """

    def note(layer: Any, outputs: Any) -> None:
        for tensor in keras.tree.flatten(outputs) if layer is not model else ():
            value = values(tensor)
            if value is not None:
                seen[free_name(layer.name, seen)] = value

    with _calling(after=note):
        yield


@contextlib.contextmanager
def _calling(
    before: Callable[[Any], None] = lambda layer: None, after: Callable[[Any, Any], None] = lambda layer, outputs: None
) -> Iterator[None]:
    """For the time of the block, before(layer) and after(layer, outputs) are called around each layer and operation."""
    originals = {cls: cls.__dict__["__call__"] for cls in (keras.Operation, keras.layers.Layer)}

    def around(cls: Any, original: Any) -> Any:
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(layer, keras.layers.Layer) and cls is keras.Operation:
                return original(layer, *args, **kwargs)  # seen already: a layer's call calls that of operations
            before(layer)
            outputs = original(layer, *args, **kwargs)
            after(layer, outputs)
            return outputs

        return call

    try:
        for cls, original in originals.items():
            cls.__call__ = around(cls, original)
        yield
    finally:
        for cls, original in originals.items():
            cls.__call__ = original


def _own_weights(layer: Any) -> Dict[str, Any]:
    return {variable.name: variable for variable in (*layer._trainable_variables, *layer._non_trainable_variables)}


def _ranks(layers: List[Any], calls: Dict[int, int]) -> Dict[int, int]:
    """{id of a variable: place of its use}: that of its layer's first call, or of the nearest layer around that was called.

    Keras runs some cells of recurrent layers without calling them.
    """
    parents = {id(child): layer for layer in layers for child in layer._layers}
    ranks: Dict[int, int] = {}
    for layer in layers:
        around = layer
        while id(around) not in calls and id(around) in parents:
            around = parents[id(around)]
        for variable in _own_weights(layer).values():
            ranks.setdefault(id(variable), calls.get(id(around), len(calls)))
    return ranks
