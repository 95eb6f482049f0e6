"""Keras before 2.4, which trains through a function of its backend, TensorFlow 1 or Theano: each call of it is an update.

Gradients are not among what that function returns, and are not recorded; a function with more results would be another one.
"""

from __future__ import annotations

from typing import Any, List

import numpy as np

from samestep.frameworks._recording import Source, batch_digest, guarded, numbered, plain, replaced
from samestep.recording.recorder import BUFFER, PARAMETER, Recorder


def hook(keras: Any, recorder: Recorder) -> None:
    """Record what models of this Keras train; of later ones, `_recording_keras` does."""
    model = getattr(getattr(keras, "models", None), "Model", None)
    if not hasattr(model, "_make_train_function") or hasattr(model, "make_train_function"):
        return

    def make(original: Any) -> Any:
        def _make_train_function(self: Any) -> None:
            before = getattr(self, "train_function", None)
            original(self)
            if self.train_function is not None and self.train_function is not before:
                self.train_function = _Watched(self, self.train_function, keras, recorder)

        return _make_train_function

    replaced(model, "_make_train_function", make)


class _Watched:
    """A model's train function that notes each update."""

    def __init__(self, model: Any, function: Any, keras: Any, recorder: Recorder) -> None:
        self._model, self._function, self._backend, self._recorder = model, function, keras.backend, recorder
        self._source = getattr(model, "_samestep_source", None) or _source(model, recorder)
        model._samestep_source = self._source
        trained = {id(weight) for weight in model.trainable_weights}
        kinds = (PARAMETER if id(weight) in trained else BUFFER for weight in model.weights)
        self._labels = tuple((kind, weight.name) for kind, weight in zip(kinds, model.weights))

    def __call__(self, inputs: List[Any]) -> Any:
        results = self._function(inputs)
        with guarded(self._recorder):
            if not self._recorder.idle:
                self._note(inputs, results)
        return results

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def _note(self, inputs: List[Any], results: Any) -> None:
        values = np.atleast_1d(results) if not isinstance(results, list) else results
        scalars = {name: float(value) for name, value in zip(self._model.metrics_names, values)}
        rate = getattr(self._model.optimizer, "learning_rate", getattr(self._model.optimizer, "lr", None))
        scalars.update({} if rate is None else {"learning_rate": float(self._backend.get_value(rate))})
        arrays = [plain(array) for array in self._backend.batch_get_value(self._model.weights)]
        batch = batch_digest(self._recorder, [np.asarray(array) for array in inputs])
        self._source.update(self._labels, arrays, scalars, batch)


def _source(model: Any, recorder: Recorder) -> Source:
    """Named by the model's optimizer, with a number where several models are trained in one script."""
    name = type(model.optimizer).__name__
    count = recorder.watches["keras2"] = recorder.watches.get("keras2", -1) + 1
    return Source(recorder, numbered(name, count), "keras")
