"""tf.functions: what is noted while one is traced leaves it as further results, as far as the eager call that runs it.

Called in the place of an author's function is a clone of it, whose results are the author's and what was noted. Where a trace
is none of such a clone, and in branches and loops of a graph, what is noted is handed to the host by tf.numpy_function.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import weakref
from typing import Any, Callable, Dict, Iterator, List

from samestep.frameworks._recording import guarded, replaced
from samestep.recording.recorder import Recorder

Take = Callable[[List[Any]], None]
"""Takes tensors or arrays once they are computed."""


def functions_of(tensorflow: Any, recorder: Recorder) -> Functions:
    """The recorder's own."""
    functions: Functions = recorder.watches.setdefault("functions", Functions(tensorflow, recorder))
    return functions


class Functions:
    """What is noted in the graphs that are traced now, and what takes it when they have been run."""

    def __init__(self, tensorflow: Any, recorder: Recorder) -> None:
        self.tensorflow, self.recorder = tensorflow, recorder
        self.noted: Dict[int, Dict[str, List[Any]]] = {}
        self.takes: Dict[str, Take] = {}
        self.silent = False
        self._numbers = itertools.count()
        self._clones: Any = weakref.WeakKeyDictionary()

    def hook(self) -> Callable[[], None]:
        """From now on functions are called so; answers with a function that makes it as it was before."""
        kind: Any = type(self.tensorflow.function(lambda: None))
        before = kind.__call__
        if hasattr(kind, "_clone") and hasattr(self.tensorflow, "__internal__"):  # from TensorFlow 2.5 on
            replaced(kind, "__call__", self._calling)
            replaced(kind, "_list_all_concrete_functions_for_serialization", self._saving)
            replaced(kind, "_get_concrete_function_garbage_collected", self._concrete)
            replaced(kind, "experimental_get_tracing_count", self._counting)
        return lambda: setattr(kind, "__call__", before)

    def leave(self, tensors: List[Any], take: Take) -> bool:
        """Hand these to take(tensors): now, or each time that the graph which is traced now has been run."""
        tf = self.tensorflow
        if self.silent:
            return True
        if tf.executing_eagerly():
            self._taken(tensors, take)
            return True
        noted = self.noted.get(id(tf.compat.v1.get_default_graph()))
        compiled = compiles()
        if noted is not None:
            number = str(next(self._numbers))
            noted[number] = self._apart(tensors) if compiled else tensors
            self.takes[number] = take
        elif not compiled:
            tf.numpy_function(lambda *arrays: self._taken(list(arrays), take), tensors, [])
        return True

    def _taken(self, arrays: List[Any], take: Take) -> None:
        with guarded(self.recorder):
            take(arrays)

    def _apart(self, tensors: List[Any]) -> List[Any]:
        """The same, of no effect on how XLA computes the step."""
        barrier = getattr(self.tensorflow.raw_ops, "XlaOptimizationBarrier", None)
        return tensors if barrier is None else list(barrier(input=tensors))

    def _calling(self, original: Any) -> Any:
        def call(function: Any, *args: Any, **kwargs: Any) -> Any:
            if self.recorder.idle or self.silent:
                return original(function, *args, **kwargs)
            clone = self._clones.get(function)
            if clone is None:
                clone = self._clones[function] = self._clone_of(function)
            result, noted = original(clone, *args, **kwargs)
            for number, tensors in noted.items():
                self.leave(tensors, self.takes[number])
            return result

        return call

    def _saving(self, original: Any) -> Any:
        """What is saved of a function are its own traces, made now of all that its clone was called with, with nothing noted."""

        def listed(function: Any) -> Any:
            with self._silence():
                clone = None if function.input_signature else self._clones.get(function)
                for traced in [] if clone is None else clone._list_all_concrete_functions():
                    args, kwargs = traced.structured_input_signature
                    function.get_concrete_function(*args, **kwargs)
                return original(function)

        return listed

    @contextlib.contextmanager
    def _silence(self) -> Iterator[None]:
        """What is traced for the time of the block is noted nowhere."""
        before, self.silent = self.silent, True
        try:
            yield
        finally:
            self.silent = before

    def _concrete(self, original: Any) -> Any:
        """A concrete function is its author's alone, who may save it; nothing is noted in it."""

        def traced(function: Any, *args: Any, **kwargs: Any) -> Any:
            with self._silence():
                return original(function, *args, **kwargs)

        return traced

    def _counting(self, original: Any) -> Any:
        return lambda function: original(self._clones.get(function, function))

    def _clone_of(self, function: Any) -> Any:
        """The function, with what is noted in its trace beside its results."""

        def noting(*args: Any, **kwargs: Any) -> Any:
            with self._tracing() as noted:
                result = noting.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]  # AutoGraph puts its own there
            return result, noted

        decorated = self.tensorflow.__internal__.decorator.make_decorator(function.python_function, noting)
        return function._clone(decorated)

    @contextlib.contextmanager
    def _tracing(self) -> Any:
        graph = self.tensorflow.compat.v1.get_default_graph()
        noted = self.noted[id(graph)] = {}
        try:
            yield noted
        finally:
            del self.noted[id(graph)]


def on_replicas(strategy: Any, recorder: Recorder) -> bool:
    """Whether a strategy of TensorFlow, or None, trains several replicas of a model at once, which is told."""
    if getattr(strategy, "num_replicas_in_sync", 1) < 2:
        return False
    recorder.unseen("of several replicas", "each makes a part of an update")
    return True


def compiles() -> bool:
    """Whether a function is traced that XLA is to compile, which knows no call to the host."""
    frame: Any = sys._getframe()
    while frame is not None:
        if getattr(frame.f_locals.get("self"), "_jit_compile", False):
            return True
        frame = frame.f_back
    return False
