"""Hooks the frameworks that a script imports, so that each update of its training is recorded. Imports none itself.

What is the same for all of them is here; `_recording_keras`, `_recording_torch`, `_recording_tensorflow` and `_recording_jax`
know where a training step of their framework can be seen.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from samestep.recording import digests
from samestep.recording.generators import generators
from samestep.recording.imports import when_imported
from samestep.recording.recorder import Entry, Recorder

HOOKS = {
    "keras": ("_recording_keras", "_recording_keras2", "_recording_tensorflow"),
    "tf_keras": ("_recording_keras", "_recording_tensorflow"),
    "torch": ("_recording_torch",),
    "tensorflow": ("_recording_tensorflow",),
    "jax": ("_recording_jax",),
    "optax": ("_recording_jax",),
}
"""The package whose import is awaited, and the files here that hook it."""

Label = Tuple[str, str]
"""Kind and name of a tensor."""


def hook(recorder: Recorder) -> None:
    """From now on what the frameworks train is recorded, those imported already and those still to come."""
    recorder.watch_generators(generators())

    def install(files: Sequence[str], package: Any) -> None:
        with guarded(recorder):  # a version that is made otherwise: the script is to run nevertheless
            for file in files:
                importlib.import_module("samestep.frameworks." + file).hook(package, recorder)

    when_imported({name: functools.partial(install, files) for name, files in HOOKS.items()})


class Source:
    """What makes updates: an optimizer or a training step, with the entries of its tensors, made anew when its labels are."""

    def __init__(self, recorder: Recorder, name: str, framework: str) -> None:
        self.recorder, self.name = recorder, name
        recorder.frameworks[name] = framework
        self._labels: Optional[Sequence[Label]] = None
        self._entries: Tuple[Entry, ...] = ()

    def update(self, labels: Sequence[Label], arrays: List[Any], *told: Any) -> None:
        """Record one update; arrays: as `plain` makes them, None for one that is not there, or digested. told: as in Recorder."""
        if labels is not self._labels and labels != self._labels:
            self._entries = tuple(_entry(*label, array) for label, array in zip(_distinct(labels), arrays))
            self._labels = labels
        self.recorder.update(self.name, self._entries, arrays, *told)

    def forget(self) -> None:
        """Look at dtypes and shapes anew with the next update, though the labels be the same."""
        self._labels = None


def _distinct(labels: Sequence[Label]) -> List[Label]:
    """Labels of which no two are the same: a name that comes again is numbered."""
    seen: Dict[Label, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append((label[0], numbered(label[1], seen[label] if seen[label] > 1 else 0)))
    return found


def _entry(kind: str, name: str, array: Any) -> Entry:
    if array is None:
        return Entry(kind, name, "none", ())
    dtype = getattr(array.dtype, "name", str(array.dtype).replace("torch.", ""))
    return Entry(kind, name, "bfloat16" if dtype == "uint16" else dtype, tuple(array.shape))


def plain(array: Any) -> Any:
    """A NumPy array in C order, the bits of a bfloat16 as uint16; None stays None."""
    if array is None:
        return None
    array = np.asarray(array)
    if array.dtype.isbuiltin == 2:  # a type that another package registered with NumPy
        array = array.view(np.uint16 if array.dtype.itemsize == 2 else np.uint8)
    return np.ascontiguousarray(array) if array.ndim else array.reshape(())


def batch_digest(recorder: Recorder, arrays: Sequence[Any]) -> bytes:
    """One digest of the arrays that a step was made from."""
    return digests.of_all([plain(array) for array in arrays if array is not None], recorder.digest)


def numbered(name: str, number: int) -> str:
    """A name for the first of its kind, and with their number for the others."""
    return "{} {}".format(name, number) if number else name


def flat(tree: Any) -> List[Any]:
    """What a nest of dicts, lists and tuples holds, dicts in the order of their keys."""
    if isinstance(tree, dict):
        return [leaf for _, value in sorted(tree.items(), key=lambda item: str(item[0])) for leaf in flat(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in flat(value)]
    return [tree]


class guarded:  # noqa: N801  # used as a function; a generator's context manager takes thrice as long
    """What goes wrong in recording ends the recording, and not the training, unless that is wanted."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if not isinstance(error, Exception):
            return False
        self._recorder.fail(error)
        return True


def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put make(original) in the place of an attribute, once, with the original's name and docstring."""
    original = getattr(owner, name)
    if not hasattr(original, "_samestep_original"):
        new: Any = functools.wraps(original)(make(original))
        new._samestep_original = original
        setattr(owner, name, new)
