"""What TensorFlow has that may differ from run to run: operations without a seed, pipelines that give up their order, races."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, List

from samestep.frameworks import _watching_graphs
from samestep.watching.generators import bits

GRAPH = "graph"
"""Beside the seeds of an operation of a TensorFlow 1 graph, which has a seed of its own."""
PIPELINES = "tf.data parallelism"
ORDERED, DETERMINISTIC = "pipelines in order", "deterministic kernels"
"""Switches."""
WITH_ORDER = ("map", "interleave", "batch", "padded_batch", "ragged_batch")


def hook(tensorflow: Any, tape: Any) -> List[Any]:
    """Watch it from now on."""
    root = tensorflow.__name__ if "tensorflow.python" in sys.modules else "tensorflow_core"
    random_seed = sys.modules[root + ".python.framework.random_seed"]
    random_seed.get_seed = _seeds(tape, tensorflow, random_seed.get_seed)  # type: ignore[attr-defined]
    stateful = sys.modules.get(root + ".python.ops.stateful_random_ops")
    if stateful is not None:
        stateful.non_deterministic_ints = _ints(tape, stateful, tensorflow)  # type: ignore[attr-defined]
    _watch_seed(tape, tensorflow)
    _watch_pipelines(tape, tensorflow)
    _watching_graphs.watch(tape, tensorflow)
    if DETERMINISTIC in tape.switches and hasattr(tensorflow.config.experimental, "enable_op_determinism"):
        tensorflow.config.experimental.enable_op_determinism()
    return []


def _seeds(tape: Any, tensorflow: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    """An operation without a seed, where there is none for all either, would begin with the system's random bits."""

    def make() -> List[Any]:
        eager = tensorflow.executing_eagerly() or hasattr(tensorflow.compat.v1.get_default_graph(), "outer_graph")
        return [bits(4) >> 1 or 1, bits(4) >> 1, *([] if eager else [GRAPH])]

    @functools.wraps(original)
    def get_seed(op_seed: Any) -> Any:
        seeds = original(op_seed)
        if any(seed is not None for seed in seeds):
            return seeds
        return tuple(tape.take("tensorflow.random", make)[:2])

    return get_seed


def _ints(tape: Any, stateful: Any, tensorflow: Any) -> Callable[..., Any]:
    original = stateful.non_deterministic_ints

    @functools.wraps(original)
    def non_deterministic_ints(shape: Any, dtype: Any = tensorflow.int64) -> Any:
        size = [int(number) for number in shape]
        count = 1
        for number in size:
            count *= number
        values = tape.take("tensorflow.random.Generator", lambda: [bits(4) >> 1 for _ in range(count)])
        return tensorflow.cast(tensorflow.reshape(tensorflow.constant(values, tensorflow.int64), size), dtype)

    return non_deterministic_ints


def _watch_seed(tape: Any, tensorflow: Any) -> None:
    original = tensorflow.random.set_seed if hasattr(tensorflow.random, "set_seed") else None
    if original is None:
        return

    @functools.wraps(original)
    def set_seed(seed: Any) -> None:
        original(
            tape.take("tensorflow.random.set_seed", lambda: int(seed), kind="seed") if isinstance(seed, int) else seed
        )

    tensorflow.random.set_seed = set_seed


def _watch_pipelines(tape: Any, tensorflow: Any) -> None:
    """The class from whose methods the others' are made, and its options."""
    kind = tensorflow.data.Dataset
    for name in WITH_ORDER:
        if "deterministic" in _parameters(getattr(kind, name, None)):
            setattr(kind, name, _with_order(tape, getattr(kind, name)))
    kind.with_options = _with_options(tape, kind.with_options)


def _parameters(function: Any) -> Any:
    import inspect

    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def _with_order(tape: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    place = list(_parameters(original)).index("deterministic")

    @functools.wraps(original)
    def method(*arguments: Any, **named: Any) -> Any:
        given = arguments[place] if len(arguments) > place else named.get("deterministic")
        if given is False:
            tape.seen(PIPELINES)
            if ORDERED in tape.switches:
                arguments = tuple(True if number == place else value for number, value in enumerate(arguments))
                named = {**named, "deterministic": True} if len(arguments) <= place else named
        return original(*arguments, **named)

    return method


def _with_options(tape: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def with_options(self: Any, options: Any, *more: Any, **named: Any) -> Any:
        for name in ("deterministic", "experimental_deterministic"):
            if getattr(options, name, None) is False:
                tape.seen(PIPELINES)
                if ORDERED in tape.switches:
                    setattr(options, name, True)
        return original(self, options, *more, **named)

    return with_options
