"""Base TensorFlow: optimizers in loops of the author's own, and sessions of TensorFlow 1.

In TensorFlow 2 each apply_gradients outside of Keras's fit is an update; what it was given leaves a tf.function as further
results. In a session each run of an operation that applies gradients is one: the gradients are fetched
beside what its author fetches, the variables are read after it.
"""

from __future__ import annotations

import functools
import math
import sys
from typing import Any, Dict, List, Tuple

from samestep.frameworks._recording import Label, Source, batch_digest, flat, guarded, numbered, plain, replaced
from samestep.frameworks._recording_functions import compiles, functions_of, on_replicas
from samestep.frameworks._recording_keras import array_of, fitting, parts, rate_of, value_of, variable_name
from samestep.recording.recorder import BUFFER, GRADIENT, PARAMETER, Recorder


def hook(package: Any, recorder: Recorder) -> None:
    """Record what optimizers do in loops of the author's own; package: TensorFlow, or a Keras whose optimizers they may use."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return
    if "tensorflow" not in recorder.watches:
        recorder.watches["tensorflow"] = _Loops(tensorflow, recorder)
    loops: _Loops = recorder.watches["tensorflow"]
    if package.__name__ == "tensorflow":
        _hook_tensorflow(tensorflow, loops, _Sessions(tensorflow, recorder))
    else:
        loops.watch(package)


def _hook_tensorflow(tensorflow: Any, loops: _Loops, sessions: _Sessions) -> None:
    if hasattr(tensorflow, "GradientTape"):
        replaced(tensorflow.GradientTape, "gradient", loops.gradient)
        loops.functions.hook()
    replaced(tensorflow.compat.v1.train.Optimizer, "compute_gradients", sessions.compute_gradients)
    replaced(tensorflow.compat.v1.train.Optimizer, "apply_gradients", sessions.apply_gradients)
    replaced(tensorflow.compat.v1.Session, "run", sessions.run)


class _Loops:
    """Optimizers of Keras outside of fit."""

    def __init__(self, tensorflow: Any, recorder: Recorder) -> None:
        self.tensorflow, self.recorder = tensorflow, recorder
        self.functions = functions_of(tensorflow, recorder)
        self.loss: Any = None
        self.sources: Dict[int, Source] = {}

    def watch(self, keras: Any) -> None:
        """Optimizers of this Keras."""
        if getattr(getattr(keras, "config", None), "backend", lambda: "tensorflow")() != "tensorflow":
            return
        optimizer = keras.optimizers.Optimizer
        owner = next((cls for cls in optimizer.__mro__ if "apply_gradients" in vars(cls)), None)
        if owner is not None:
            replaced(owner, "apply_gradients", self.apply_gradients)

    def gradient(self, original: Any) -> Any:
        """What gradients are taken of is the loss, if one number."""

        def gradient(tape: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(target, "shape", None) is not None and not fitting():
                self.loss = target
            return original(tape, target, *args, **kwargs)

        return gradient

    def apply_gradients(self, original: Any) -> Any:
        """Record the update that is made."""

        def apply_gradients(optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
            pairs = list(grads_and_vars)
            if fitting() or self.recorder.idle or self.functions.silent or self._unseen():
                return original(optimizer, pairs, *args, **kwargs)
            with guarded(self.recorder):
                rate = rate_of(optimizer)
            result = original(optimizer, pairs, *args, **kwargs)
            with guarded(self.recorder):
                self._note(optimizer, pairs, rate)
            return result

        return apply_gradients

    def _unseen(self) -> bool:
        """Whether an update is made where it cannot be seen without changing it, which is told."""
        strategy_of = getattr(getattr(self.tensorflow, "distribute", None), "get_strategy", None)
        if strategy_of is not None and on_replicas(strategy_of(), self.recorder):
            return True
        if self.tensorflow.executing_eagerly() or not compiles():
            return False
        self.recorder.unseen("within functions that XLA compiles", "they would be compiled otherwise")
        return True

    def _note(self, optimizer: Any, pairs: List[Tuple[Any, Any]], rate: Any) -> None:
        name = numbered(type(optimizer).__name__, len(self.sources))
        source = self.sources.setdefault(id(optimizer), Source(self.recorder, name, "tensorflow"))
        named = [(GRADIENT, variable_name(v) + end, t) for g, v in pairs for end, t in parts(g)]
        named += [(PARAMETER, variable_name(v), value_of(v)) for _, v in pairs]
        labels = tuple((kind, name) for kind, name, _ in named)
        tensors = [tensor for _, _, tensor in named]
        loss = self._loss_here()
        take = functools.partial(self._take, source, labels)
        self.functions.leave([loss, rate, *tensors], take)

    def _loss_here(self) -> Any:
        """The mean of what gradients were last taken of, if that was in the same function."""
        tf, loss = self.tensorflow, self.loss
        self.loss = None
        eager = tf.executing_eagerly()
        same = loss is not None and (
            hasattr(loss, "_numpy") if eager else getattr(loss, "graph", None) is tf.compat.v1.get_default_graph()
        )
        return tf.reduce_mean(loss) if same else tf.constant(math.nan)

    def _take(self, source: Source, labels: Tuple[Label, ...], given: List[Any]) -> None:
        loss, rate, *arrays = [array_of(tensor) for tensor in given]
        source.update(labels, arrays, {"loss": float(loss), "learning_rate": float(rate)})


class _Sessions:
    """Graphs whose optimizers' operations are known, and the sessions that run them."""

    def __init__(self, tensorflow: Any, recorder: Recorder) -> None:
        self.tensorflow, self.recorder = tensorflow, recorder
        self.losses: Dict[int, Any] = {}
        self.applied: List[Tuple[Any, str, List[Tuple[Any, Any]]]] = []
        self.found: Dict[Any, Any] = {}
        self.sources: Dict[str, Source] = {}
        self.running = False

    def compute_gradients(self, original: Any) -> Any:
        """Note what they are of."""

        def compute_gradients(optimizer: Any, loss: Any, *args: Any, **kwargs: Any) -> Any:
            pairs = original(optimizer, loss, *args, **kwargs)
            if hasattr(loss, "graph") and not self.tensorflow.executing_eagerly():
                self.losses.update((id(gradient), loss) for gradient, _ in pairs if gradient is not None)
            return pairs

        return compute_gradients

    def apply_gradients(self, original: Any) -> Any:
        """Note the operation that applies them."""

        def apply_gradients(optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
            pairs = [(gradient, variable) for gradient, variable in grads_and_vars]
            operation = original(optimizer, pairs, *args, **kwargs)
            if hasattr(operation, "control_inputs") or hasattr(operation, "op"):
                name = numbered(type(optimizer).__name__, len(self.applied))
                given = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
                self.applied.append((getattr(operation, "op", operation), name, given))
                self.found.clear()
            return operation

        return apply_gradients

    def run(self, original: Any) -> Any:
        """Record the updates that a run makes."""

        def run(session: Any, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
            applied = [] if self.running or self.recorder.idle else self._applied_by(session, fetches)
            if not applied:
                return original(session, fetches, feed_dict, *args, **kwargs)
            wanted = [self._fetched(pairs) for _, _, pairs in applied]
            result, seen = original(session, [fetches, wanted], feed_dict, *args, **kwargs)
            with guarded(self.recorder):
                self.running = True
                try:
                    self._note(session, original, applied, seen, feed_dict)
                finally:
                    self.running = False
            return result

        return run

    def _applied_by(self, session: Any, fetches: Any) -> List[Tuple[Any, str, List[Tuple[Any, Any]]]]:
        """The optimizers' operations among what has to run for these fetches."""
        if not self.applied:
            return []
        key = tuple(id(one) for one in flat(fetches))
        if key not in self.found:
            needed = _ancestors([_operation(session.graph, one) for one in flat(fetches)])
            self.found[key] = [one for one in self.applied if id(one[0]) in needed]
        found: List[Tuple[Any, str, List[Tuple[Any, Any]]]] = self.found[key]
        return found

    def _fetched(self, pairs: List[Tuple[Any, Any]]) -> Dict[str, Any]:
        """Gradients, and what they are of if that is known."""
        fetched = {"gradients": [[tensor for _, tensor in parts(gradient)] for gradient, _ in pairs]}
        losses = [self.losses[id(gradient)] for gradient, _ in pairs if id(gradient) in self.losses]
        return dict(fetched, loss=losses[0]) if losses else fetched

    def _note(self, session: Any, run: Any, applied: Any, seen: Any, feeds: Any) -> None:
        fed = sorted(((_tensor_name(key), value) for key, value in (feeds or {}).items()), key=lambda item: item[0])
        batch = batch_digest(self.recorder, [value for _, value in fed])
        for (_, name, pairs), got in zip(applied, seen):
            variables = [variable for _, variable in pairs]
            buffers = _buffers(self.tensorflow, session.graph)
            after = run(session, [variables, buffers])
            labels = [(GRADIENT, variable_name(v) + end) for g, v in pairs for end, _ in parts(g)]
            labels += [(PARAMETER, variable_name(v)) for v in variables] + [(BUFFER, variable_name(v)) for v in buffers]
            arrays = [plain(a) for group in (*got["gradients"], *after) for a in group]
            source = self.sources.setdefault(name, Source(self.recorder, name, "tensorflow 1"))
            loss = got.get("loss", math.nan)
            source.update(tuple(labels), arrays, {"loss": float(loss.mean())} if hasattr(loss, "mean") else {}, batch)


def _buffers(tensorflow: Any, graph: Any) -> List[Any]:
    """Variables that are not trained and that the model declares as its own, such as moving means."""
    collections = tensorflow.compat.v1.GraphKeys
    trained = graph.get_collection(collections.TRAINABLE_VARIABLES)
    return [v for v in graph.get_collection(collections.MODEL_VARIABLES) if not any(v is t for t in trained)]


def _ancestors(operations: List[Any]) -> Dict[int, Any]:
    """Operations that have to run for these, by identity."""
    found: Dict[int, Any] = {}
    waiting = [one for one in operations if one is not None]
    while waiting:
        operation = waiting.pop()
        if id(operation) not in found:
            found[id(operation)] = operation
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return found


def _operation(graph: Any, fetch: Any) -> Any:
    if isinstance(fetch, str):
        fetch = graph.as_graph_element(fetch)
    fetch = getattr(fetch, "op", fetch)
    return fetch if hasattr(fetch, "control_inputs") else None


def _tensor_name(key: Any) -> str:
    return str(getattr(key, "name", key))
