"""Functions of a Keras 2.3 model: its training step, the same step only looked at, and its optimizer's update alone.

Keras 2.3 builds a graph once and runs it by keras.backend.function, on TensorFlow 1 and on Theano:
keras/engine/training.py, _make_train_function; keras/optimizers.py, get_updates.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
from keras import backend as K  # noqa: N812 - as Keras calls it

from samestep.frameworks._keras_fit import attributes
from samestep.frameworks._names import free_name

Made = List[Tuple[str, Any]]
"""(name, variable) of what an optimizer makes in get_updates, in order."""


def training(model: Any, made: Made) -> Any:
    """The model's own training function, of inputs, targets and weights; its slots are those in `made`, or added to it."""
    optimizer = model.optimizer
    with _same_slots(made), attributes(model, train_function=None), attributes(
        optimizer, get_updates=_in_order(optimizer)
    ):
        model._make_train_function()
        return model.train_function


def observed(model: Any) -> Callable[[List[Any]], List[np.ndarray]]:
    """A function of what training takes: the loss, metrics and gradients, as the optimizer is given them, before any clipping."""
    metrics = [metric for metric in model._get_training_eval_metrics() if hasattr(metric, "_call_result")]
    updates = [update for metric in metrics for update in metric.updates]
    gradients = [_dense(g) for g in K.gradients(model.total_loss, model._collected_trainable_weights)]
    outputs = [model.total_loss, *(metric._call_result for metric in metrics), *gradients]
    return K.function(_fed(model), outputs, updates=updates)


def already_made(optimizer: Any) -> Made:
    """What get_updates has made where the program has trained or been loaded with its optimizer: all but the named scalars."""
    named = {id(value) for value in vars(optimizer).values()}
    made = [(str(v.name).split(":")[0].split("/")[-1], v) for v in optimizer.weights if id(v) not in named]
    return [
        (re.sub(r"(_\d+)_\d+$", r"\1", name), variable) for name, variable in made
    ]  # m_0_1 is TensorFlow's second m_0


def update(model: Any, made: Made) -> Callable[[List[np.ndarray]], Any]:
    """A function of given gradients, in the order of the weights, that updates weights and slots as training does."""
    optimizer, weights = model.optimizer, model._collected_trainable_weights
    given = [K.placeholder(shape=K.int_shape(w), dtype=K.dtype(w)) for w in weights]
    held = {"updates": optimizer.updates, "weights": optimizer.weights}
    with _same_slots(made), attributes(K, gradients=lambda loss, variables: given), attributes(optimizer, **held):
        updates = _in_order(optimizer)(loss=model.total_loss, params=weights)
        return K.function(given, [K.sum(given[0])], updates=updates)


def layers(model: Any) -> Tuple[List[str], Callable[[List[Any]], List[np.ndarray]]]:
    """Names of the layers' float outputs in the order of execution, and a function of the inputs: those, then the outputs."""
    named: Dict[str, Any] = {}
    for layer, tensors in _calls(model):
        for tensor in tensors:
            if "float" in K.dtype(tensor):
                named[free_name(layer.name, named)] = tensor
    fed = model._feed_inputs + ([K.learning_phase()] if model._uses_dynamic_learning_phase() else [])
    return list(named), K.function(fed, [*named.values(), *model.outputs])


def phase(model: Any, training: bool) -> List[int]:
    """What is fed for the learning phase, if the model depends on it."""
    return [int(training)] if model._uses_dynamic_learning_phase() else []


def _fed(model: Any) -> List[Any]:
    fed = model._feed_inputs + model._feed_targets + model._feed_sample_weights
    return fed + ([K.learning_phase()] if model._uses_dynamic_learning_phase() else [])


def _calls(model: Any) -> Iterator[Tuple[Any, List[Any]]]:
    """(layer, its output tensors) for each call of a layer in the model."""
    if model._is_graph_network:
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.inbound_layers:
                    yield node.outbound_layer, node.output_tensors
    else:
        for layer in model.layers:
            for node in layer._inbound_nodes:
                yield layer, node.output_tensors


def _dense(gradient: Any) -> Any:
    """Rows that were looked up, as an array of the variable's shape."""
    if hasattr(gradient, "dense_shape"):
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient


@contextlib.contextmanager
def _same_slots(made: Made) -> Iterator[None]:
    """For the time of the block the variables that get_updates makes are noted or, once they are, found again in order.

    get_updates makes new ones at each call, and two functions are to share them.
    """
    if made:
        left = iter(list(made))
        with attributes(K, zeros=lambda *a, **k: next(left)[1], variable=lambda *a, **k: next(left)[1]):
            yield
    else:
        with attributes(K, zeros=_noting(K.zeros, made), variable=_noting(K.variable, made)):
            yield


def _noting(make: Callable[..., Any], made: Made) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        variable = make(*args, **kwargs)
        made.append((kwargs.get("name") or "slot", variable))
        return variable

    return noting


def _in_order(optimizer: Any) -> Callable[..., Any]:
    """Its get_updates, with all that is read read before anything is written.

    On TensorFlow 1 Keras leaves that order open: Adam reads the number of updates while it is counted up, so that now and
    then its bias correction is one update ahead. On Theano all new values are computed first, as is meant.
    """
    get_updates = optimizer.get_updates
    if K.backend() != "tensorflow":
        return get_updates

    def in_order(loss: Any, params: Any) -> Any:
        pairs = {
            "update": lambda x, new: (x, new),
            "update_add": lambda x, more: (x, x + more),
            "update_sub": lambda x, less: (x, x - less),
        }
        with attributes(K, **pairs):
            updates = get_updates(loss=loss, params=params)
        return _written_last(updates)

    return in_order


def _written_last(updates: List[Any]) -> List[Any]:
    import tensorflow as tf

    pairs = [update for update in updates if isinstance(update, tuple)]
    others = [update for update in updates if not isinstance(update, tuple)]
    new = [
        tf.cast(tf.convert_to_tensor(value, dtype_hint=None), variable.dtype.base_dtype) for variable, value in pairs
    ]
    with tf.control_dependencies(new):
        return others + [tf.compat.v1.assign(variable, value) for (variable, _), value in zip(pairs, new)]
