"""JAX: each optax.apply_updates is an update, traced or not; jit, grad and scan go on as they are.

Gradients are what the optimizer's update was called with, the loss and the batch what jax.value_and_grad gave and was given,
where the same arrays went on from one to the next. What is noted while jax.jit traces a function leaves it as one more result,
which costs little; in scan and other loops it is handed to the host by jax.debug.callback.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from samestep.frameworks._recording import Label, Source, batch_digest, guarded, numbered, plain, replaced
from samestep.recording.recorder import GRADIENT, PARAMETER, UPDATE, Recorder


def hook(package: Any, recorder: Recorder) -> None:
    """Record what optax updates; package: jax or optax, whichever has been imported."""
    watch = _watch_of(recorder)
    if package.__name__ == "jax":
        watch.jax = package
        _register(package)
        replaced(package, "value_and_grad", watch.value_and_grad)
        replaced(package, "jit", watch.jit)
        atexit.register(watch.finish)
    else:
        own = package.GradientTransformation.update
        package.GradientTransformation.update = property(lambda self: watch.noting(own.__get__(self)))
        replaced(package, "apply_updates", watch.apply_updates)


def _watch_of(recorder: Recorder) -> _Watch:
    if "jax" not in recorder.watches:
        recorder.watches["jax"] = _Watch(recorder)
    watch: _Watch = recorder.watches["jax"]
    return watch


def note(jax: Any, recorder: Recorder, params: Any, gradients: Any, loss: Any, batch: Any) -> None:
    """Record one update by hand, under jit, grad and scan too: trees of arrays, gradients None where they are not given."""
    watch = _watch_of(recorder)
    watch.jax = jax
    with guarded(recorder):
        groups = ([] if gradients is None else [(GRADIENT, gradients)]) + [(PARAMETER, params)]
        watch.note(groups, math.nan if loss is None else loss, watch.arrays(batch))


class Note:
    """Arrays that leave a compiled function, with what is to be done with them: a node of a tree of JAX."""

    def __init__(self, parts: Any, take: Callable[[Any], None]) -> None:
        self.parts, self.take = parts, take


def _register(jax: Any) -> None:
    with contextlib.suppress(ValueError):  # it is registered already
        jax.tree_util.register_pytree_node(
            Note, lambda note: (tuple(note.parts), note.take), lambda take, parts: Note(parts, take)
        )


class _Notes(List[Note]):
    """What was noted while one function was traced."""

    def __init__(self, trace: Any) -> None:
        super().__init__()
        self.trace = trace


def _trace_of(jax: Any, given: Any) -> Any:
    """The trace that a function's arguments belong to; an object that no other is if that cannot be told."""
    tracers = [one for one in jax.tree_util.tree_leaves(given) if isinstance(one, jax.core.Tracer)]
    return getattr(tracers[0], "_trace", object()) if tracers else object()


class _Jitted:
    """A compiled function: its call notes updates, everything else is that of the author's own."""

    def __init__(self, watch: _Watch, own: Any, noted: Any) -> None:
        functools.update_wrapper(self, own)
        self._watch, self._own, self._noted = watch, own, noted

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._watch.recorder.idle:
            return self._own(*args, **kwargs)
        result, notes = self._noted(*args, **kwargs)
        for note in notes:
            self._watch.passed_on(note)
        return result

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else functools.partial(self, owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


class _Watch:
    """What was last given and taken, so that it is known again where it goes on."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.jax = recorder, None  # type: Recorder, Any
        self.sources: Dict[Tuple[Label, ...], Source] = {}
        self.depth = 0
        self.notes: List[_Notes] = []
        self.valued: Tuple[Any, Any, List[Any]] = (None, None, [])
        self.updated: Tuple[Any, Any] = (None, None)

    def value_and_grad(self, original: Any) -> Any:
        """Note the value and the arguments that the gradients are not of."""

        def value_and_grad(fun: Any, argnums: Any = 0, *args: Any, **kwargs: Any) -> Any:
            own = original(fun, argnums, *args, **kwargs)
            of = (argnums,) if isinstance(argnums, int) else tuple(argnums)
            aux = kwargs.get("has_aux", bool(args and args[0]))

            @functools.wraps(own)
            def noted(*given: Any, **named: Any) -> Any:
                value, gradients = own(*given, **named)
                others = [one for number, one in enumerate(given) if number not in of] + list(named.values())
                self.valued = (gradients, value[0] if aux else value, self.arrays(others))
                return value, gradients

            return noted

        return value_and_grad

    def noting(self, update: Any) -> Any:
        """The update of an optimizer, whose outermost call is noted."""

        @functools.wraps(update)
        def noted(gradients: Any, *args: Any, **kwargs: Any) -> Any:
            self.depth += 1
            try:
                result = update(gradients, *args, **kwargs)
            finally:
                self.depth -= 1
            if self.depth == 0:
                self.updated = (gradients, result[0])
            return result

        return noted

    def apply_updates(self, original: Any) -> Any:
        """Record the update that is applied."""

        def apply_updates(params: Any, updates: Any) -> Any:
            new = original(params, updates)
            with guarded(self.recorder):
                self._note(new, updates)
            return new

        return apply_updates

    def passed_on(self, note: Note) -> None:
        """Record what left a compiled function; within another trace it goes on to that one's end, or to the host."""
        jax = self.jax
        traces = [getattr(part, "_trace", None) for part in note.parts if isinstance(part, jax.core.Tracer)]
        if not traces:
            note.take(note.parts)
        elif self.notes and all(trace is self.notes[-1].trace for trace in traces):
            self.notes[-1].append(note)
        else:
            jax.debug.callback(lambda *parts: note.take(parts), *note.parts)

    def finish(self) -> None:
        """Wait for what is still under way."""
        with guarded(self.recorder):
            self.jax.effects_barrier()

    def _note(self, new: Any, updates: Any) -> None:
        if self.recorder.idle:
            return
        gradients = self.updated[0] if self._same(self.updated[1], updates) else None
        valued = gradients is not None and self._same(self.valued[0], gradients)
        loss, batch = self.valued[1:] if valued else (math.nan, [])
        given = (UPDATE, updates) if gradients is None else (GRADIENT, gradients)
        self.note([given, (PARAMETER, new)], loss, batch)

    def note(self, groups: List[Tuple[str, Any]], loss: Any, batch: List[Any]) -> None:
        """Record an update now, or when what is traced is run. groups: kinds and trees of arrays."""
        labels, arrays = [], []
        for kind, tree in groups:
            for path, leaf in self.jax.tree_util.tree_flatten_with_path(tree)[0]:
                labels.append((kind, _name(path)))
                arrays.append(leaf)
        known = tuple(labels)
        source = self.sources.setdefault(known, Source(self.recorder, numbered("optax", len(self.sources))))
        take = functools.partial(self._take, source, known)
        if not any(isinstance(one, self.jax.core.Tracer) for one in (*arrays, loss, *batch)):
            take(arrays, loss, batch)
            return
        parts, unpack = packed(self.jax, [*arrays, self.jax.numpy.asarray(loss), *batch])
        self.passed_on(Note(parts, lambda parts: self._take_apart(take, unpack(parts), len(arrays))))

    def jit(self, original: Any) -> Any:
        """Functions that return what they note beside their result, and are as they were in all else."""

        def jit(fun: Any = None, *args: Any, **kwargs: Any) -> Any:
            if fun is None:
                return functools.partial(jit, *args, **kwargs)
            own = original(fun, *args, **kwargs)
            if not callable(fun) or kwargs.get("out_shardings") is not None:
                return own

            @functools.wraps(fun)
            def noted(*given: Any, **named: Any) -> Any:
                self.notes.append(_Notes(_trace_of(self.jax, (given, named))))
                try:
                    result = fun(*given, **named)
                finally:
                    notes = self.notes.pop()
                return result, list(notes)

            return _Jitted(self, own, original(noted, *args, **kwargs))

        return jit

    def _take(self, source: Source, labels: Tuple[Label, ...], arrays: List[Any], loss: Any, batch: List[Any]) -> None:
        with guarded(self.recorder):
            seen = batch_digest(self.recorder, batch)
            source.update(labels, [plain(array) for array in arrays], {"loss": float(loss)}, seen)

    def _take_apart(self, take: Callable[..., None], arrays: List[Any], count: int) -> None:
        take(arrays[:count], arrays[count], arrays[count + 1 :])

    def arrays(self, values: Any) -> List[Any]:
        """The arrays of a tree, but for keys of random generators."""
        return [
            one
            for one in self.jax.tree_util.tree_leaves(values)
            if hasattr(one, "dtype") and str(one.dtype)[:3] != "key"
        ]

    def _same(self, one: Any, other: Any) -> bool:
        """Whether two trees hold the very same arrays."""
        if one is None:
            return False
        leaves = self.jax.tree_util.tree_leaves
        first, second = leaves(one), leaves(other)
        return len(first) == len(second) and all(a is b for a, b in zip(first, second))


def _name(path: Any) -> str:
    return ".".join(str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part)))) for part in path)


def packed(jax: Any, arrays: List[Any]) -> Tuple[List[Any], Callable[[Any], List[Any]]]:
    """Arrays as one for each size of element, since each that is handed to the host costs something; how to undo it."""
    arrays = jax.lax.optimization_barrier(arrays)  # else they are computed once more, within the packing
    sizes = sorted({one.dtype.itemsize for one in arrays})
    bits = {size: jax.numpy.dtype("uint{}".format(8 * size)) for size in sizes}

    def flat(one: Any) -> Any:
        if one.dtype == bool:
            return one.astype(jax.numpy.uint8).reshape(-1)
        return jax.lax.bitcast_convert_type(one, bits[one.dtype.itemsize]).reshape(-1)

    joined = [jax.numpy.concatenate([flat(one) for one in arrays if one.dtype.itemsize == size]) for size in sizes]
    forms = [(np.dtype(one.dtype), one.shape) for one in arrays]

    def unpack(parts: Any) -> List[Any]:
        rest = {size: np.asarray(part) for size, part in zip(sizes, parts)}
        found = []
        for dtype, shape in forms:
            length = math.prod(shape)
            found.append(rest[dtype.itemsize][:length].view(dtype).reshape(shape))
            rest[dtype.itemsize] = rest[dtype.itemsize][length:]
        return found

    return joined, unpack
