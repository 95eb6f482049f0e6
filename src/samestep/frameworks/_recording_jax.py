"""JAX: each optax.apply_updates is an update, traced or not; jit, grad and scan go on as they are.

Gradients are what the optimizer's update was called with, the loss and the batch what jax.value_and_grad gave and was given,
where the same arrays went on from one to the next. What is noted while jax.jit traces a function leaves it as further results,
which are looked at while the device has its next call to work on; in scan and other loops it is handed to the host by
jax.debug.callback.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from samestep.frameworks._recording import Label, Source, batch_digest, guarded, numbered, plain, replaced
from samestep.frameworks._recording_jitted import DONATE, Jitted
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


def leave(recorder: Recorder, tensors: List[Any], take: Callable[[List[Any], Any], None]) -> bool:
    """Hand these to take(arrays, moment) whenever the jitted function that is traced now has been run.

    Answers whether it can: not where nothing is traced, or within a function that was jitted before there was a hook.
    """
    watch = _watch_of(recorder)
    traces = watch.traces(tensors)
    if watch.silent:
        return True
    if not traces or not watch.passes_on(traces):
        return False

    def taken(tensors: List[Any], batch: Any, moment: Any) -> None:
        with guarded(recorder):
            take(tensors, moment)

    watch.passed_on(Note(tensors, [], taken))
    return True


class Note:
    """Arrays that leave a compiled function, with what is to be done with them: a node of a tree of JAX.

    tensors: those of a row, and the loss; batch: what it was made from; take: takes both, as arrays, and a moment.
    places: of each tensor, where it is among the function's results, by which it is not handed out twice; None where it is not.
    """

    def __init__(
        self, tensors: Any, batch: Any, take: Callable[[Any, Any, Any], None], places: Tuple[Optional[int], ...] = ()
    ) -> None:
        self.tensors, self.batch, self.take, self.places = tensors, batch, take, places

    @property
    def parts(self) -> List[Any]:
        """All arrays."""
        return [*self.tensors, *self.batch]

    def beside(self, jax: Any, results: Sequence[Any]) -> Note:
        """Without those that are among these results; the others set apart, so that the step is computed as ever."""
        known = {id(one): place for place, one in enumerate(results)}
        places = tuple(known.get(id(one)) for one in self.tensors)
        others = [one for one, place in zip(self.tensors, places) if place is None]
        return Note(jax.lax.optimization_barrier(others), self.batch, self.take, places)

    def whole(self, results: Sequence[Any]) -> Note:
        """With those that were among the results."""
        others = iter(self.tensors)
        tensors = [next(others) if place is None else results[place] for place in self.places]
        return Note(tensors, self.batch, self.take)


def _register(jax: Any) -> None:
    def flatten(note: Note) -> Any:
        return (note.tensors, note.batch), (note.take, note.places)

    with contextlib.suppress(ValueError):  # it is registered already
        jax.tree_util.register_pytree_node(Note, flatten, lambda fixed, arrays: Note(*arrays, *fixed))


class _Notes(List[Note]):
    """What was noted while one function was traced."""

    def __init__(self, trace: Any) -> None:
        super().__init__()
        self.trace = trace


def _trace_of(jax: Any, given: Any) -> Any:
    """The trace that a function's arguments belong to; an object that no other is if that cannot be told."""
    tracers = [one for one in jax.tree_util.tree_leaves(given) if isinstance(one, jax.core.Tracer)]
    return getattr(tracers[0], "_trace", object()) if tracers else object()


class _Watch:
    """What was last given and taken, so that it is known again where it goes on."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.jax = recorder, None  # type: Recorder, Any
        self.sources: Dict[Tuple[Label, ...], Source] = {}
        self.depth = 0
        self.notes: List[_Notes] = []
        self.waiting: List[Callable[[], None]] = []
        self.shares = self.calls_back = self.silent = False
        self.count = 0
        recorder.behind.append(self.catch_up)
        self.valued: Tuple[Any, Any, List[Any]] = (None, None, [])
        self.updated: Tuple[Any, Any] = (None, None)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """What is traced for the time of the block is noted nowhere."""
        self.silent = True
        try:
            yield
        finally:
            self.silent = False

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
        traces = self.traces(note.parts)
        self.count += bool(traces)
        if not traces:
            self._left(note)
        elif self.passes_on(traces):
            self.notes[-1].append(note)
        else:
            self._call_back(note)

    def traces(self, arrays: List[Any]) -> List[Any]:
        """Those that arrays belong to which are not computed yet."""
        jax: Any = sys.modules["jax"]
        return [getattr(one, "_trace", None) for one in arrays if isinstance(one, jax.core.Tracer)]

    def passes_on(self, traces: List[Any]) -> bool:
        """Whether what is of these traces can leave the function that is traced now."""
        return bool(self.notes) and all(trace is self.notes[-1].trace for trace in traces)

    def _left(self, note: Note) -> None:
        """Record it after the next call, so that the device need not wait; from its batch it takes what is there already."""
        moment = self.recorder.moment()
        batch = batch_digest(self.recorder, note.batch) if all(one.is_ready() for one in note.batch) else note.batch
        self.waiting.append(functools.partial(note.take, note.tensors, batch, moment))
        if self.calls_back:
            self.catch_up()

    def _call_back(self, note: Note) -> None:
        """Have it handed to the host. From then on nothing waits any more, since what is called back would come before it."""
        self.catch_up()
        self.calls_back = True
        parts, unpack = packed(self.jax, note.parts)
        count = len(note.tensors)

        def taken(*parts: Any) -> None:
            arrays = unpack(parts)
            note.take(arrays[:count], arrays[count:], None)

        self.jax.debug.callback(taken, *parts)

    def catch_up(self) -> None:
        """Record what waits."""
        waiting, self.waiting, self.shares = self.waiting, [], False
        for take in waiting:
            take()

    def finish(self) -> None:
        """Wait for what is still under way."""
        self.catch_up()
        with guarded(self.recorder):
            self.jax.effects_barrier()

    def _note(self, new: Any, updates: Any) -> None:
        if self.recorder.idle or self.silent:
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
        source = self.sources.setdefault(known, Source(self.recorder, numbered("optax", len(self.sources)), "jax"))
        take = functools.partial(self._take, source, known)
        if any(isinstance(one, self.jax.core.Tracer) for one in (*arrays, loss, *batch)):
            self.passed_on(Note([*arrays, self.jax.numpy.asarray(loss)], batch, take))
        else:
            self.catch_up()
            take([*arrays, loss], batch, None)

    def jit(self, original: Any) -> Any:
        """Functions that return what they note beside their result, and are as they were in all else."""

        def jit(fun: Any = None, *args: Any, **kwargs: Any) -> Any:
            if fun is None:
                return functools.partial(jit, *args, **kwargs)
            own = original(fun, *args, **kwargs)
            if not callable(fun):
                return own
            donates = any(kwargs.get(name) not in (None, (), []) for name in DONATE)
            if kwargs.get("out_shardings") is not None:
                kwargs = dict(kwargs, out_shardings=(kwargs["out_shardings"], None))

            def noting(donates: bool, alone: bool) -> Any:
                @functools.wraps(fun)
                def noted(*given: Any, **named: Any) -> Any:
                    self.notes.append(_Notes(_trace_of(self.jax, (given, named))))
                    try:
                        result = fun(*given, **named)
                    finally:
                        notes = self.notes.pop()
                    shared = [] if donates else self.jax.tree_util.tree_leaves(result)
                    return None if alone else result, [note.beside(self.jax, shared) for note in notes]

                return noted

            alone = {name: value for name, value in kwargs.items() if name not in (*DONATE, "out_shardings")}
            together = original(noting(donates, False), *args, **kwargs)
            return Jitted(self, own, together, original(noting(False, True), *args, **alone), donates)

        return jit

    def _take(self, source: Source, labels: Tuple[Label, ...], tensors: List[Any], batch: Any, moment: Any) -> None:
        """tensors: the loss is the last; batch: arrays, or their digest; moment: now if None."""
        with guarded(self.recorder):
            *arrays, loss = [plain(tensor) for tensor in tensors]
            seen = batch if isinstance(batch, bytes) else batch_digest(self.recorder, batch)
            source.update(labels, arrays, {"loss": float(loss)}, seen, "", moment)

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
