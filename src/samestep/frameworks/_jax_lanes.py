"""Many trainings in one compiled computation of JAX: a lane each, with states stacked along a first axis and the data shared.

What a lane computes is a function of the framework's own, step(state, batch) -> state, which `jax.vmap` widens and
`jax.lax.fori_loop` repeats.
"""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Iterator, Optional

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params

from samestep.errors import NotVectorisable
from samestep.frameworks import _groups

Tree = Any
Step = Callable[[Tree, Tree], Tree]
SLOW_IN_LOOPS = frozenset({"conv_general_dilated"})
"""On CPUs XLA computes these some ten times slower in a loop, and widened, as grouped convolutions, some three times slower."""


class Loop:
    """Repeats a step over batches of shared data, for `width` lanes at once.

    data: a tree of arrays (N, …). A batch is the rows that `order` names: int32 (N,) if all lanes have the same, (width, N)
    otherwise.
    """

    def __init__(self, step: Step, data: Tree, batch_size: int, width: int, in_loop: bool) -> None:
        self.data = jax.tree_util.tree_map(jnp.asarray, data)
        self.rows = len(jax.tree_util.tree_leaves(data)[0])
        self.batch_size, self.width, self.in_loop = batch_size, width, in_loop
        self.step, self.stretch = step, 1
        self.functions: dict[Any, Any] = {}

    def run(
        self, state: Tree, order: Any, rows: Optional[int] = None, watch: Callable[[int], None] = lambda n: None
    ) -> Tree:
        """The state after one epoch over the first so many entries of the order, a partial last batch among them.

        watch(steps) is called about once a second.
        """
        full, rest = divmod(self.rows if rows is None else rows, self.batch_size)
        first = 0
        while first < full:
            begun, last = time.monotonic(), min(full, first + self.stretch)
            state = jax.block_until_ready(self._stretch(state, order, first, last))
            self.stretch = _fitting(self.stretch, time.monotonic() - begun)
            watch(last - first)
            first = last
        if rest:
            tail = order[..., full * self.batch_size : full * self.batch_size + rest]
            state = self._function("rest", order)(state, tail, self.data)
            watch(1)
        return state

    def _stretch(self, state: Tree, order: Any, first: int, last: int) -> Tree:
        full = self._function("full", order)
        if self.in_loop:
            return full(state, order, self.data, np.int32(first), np.int32(last))
        for i in range(first, last):
            state = full(state, order, self.data, np.int32(i))
        return state

    def _function(self, what: str, order: Any) -> Any:
        key = what, order.ndim
        if key not in self.functions:
            self.functions[key] = jax.jit(getattr(self, "_" + what)(order.ndim), donate_argnums=0)
        return self.functions[key]

    def _full(self, axes: int) -> Callable[..., Tree]:
        size = self.batch_size

        def one(state: Tree, order: Any, data: Tree, i: Any) -> Tree:
            return self._on(state, jax.lax.dynamic_slice_in_dim(order, i * size, size), data)

        def many(state: Tree, order: Any, data: Tree, first: Any, last: Any) -> Tree:
            return jax.lax.fori_loop(first, last, lambda i, state: one(state, order, data, i), state)

        shared = (None, None) if self.in_loop else (None,)
        return over_lanes(many if self.in_loop else one, self.width, (0, 0 if axes > 1 else None, None, *shared))

    def _rest(self, axes: int) -> Callable[..., Tree]:
        return over_lanes(self._on, self.width, (0, 0 if axes > 1 else None, None))

    def _on(self, state: Tree, rows: Any, data: Tree) -> Tree:
        return self.step(state, jax.tree_util.tree_map(lambda array: jnp.take(array, rows, axis=0, mode="clip"), data))


def _fitting(steps: int, seconds: float) -> int:
    """More or fewer steps, so that they take about a second."""
    return steps * 2 if seconds < 0.5 else max(1, steps // 2) if seconds > 2 else steps


def over_lanes(function: Callable[..., Tree], width: int, axes: Any) -> Callable[..., Tree]:
    """The function for so many lanes; one lane is computed as if it were no lane, which XLA may do faster."""
    if width > 1:
        return jax.vmap(function, in_axes=axes)

    def alone(*args: Any) -> Tree:
        taken = [a if axis is None else jax.tree_util.tree_map(lambda leaf: leaf[0], a) for a, axis in zip(args, axes)]
        return jax.tree_util.tree_map(lambda leaf: leaf[None], function(*taken))

    return alone


class Traced:
    """What is known of a step before it is compiled.

    alone: whether it is better run step by step and lane by lane. nbytes: of all that it computes on its way, more than it
    ever holds at once. text, constants: what it computes, to be compared with another's.
    """

    def __init__(self, step: Callable[..., Any], *args: Any) -> None:
        closed = jax.make_jaxpr(step)(*args)
        equations = list(_equations(closed.jaxpr))
        slow = any(equation.primitive.name in SLOW_IN_LOOPS for equation in equations)
        self.alone = slow and jax.default_backend() == "cpu"
        shapes = [v.aval for equation in equations for v in equation.outvars if hasattr(v.aval, "dtype")]
        self.nbytes = sum(a.size * max(1, getattr(a.dtype, "itemsize", 1)) for a in shapes)
        self.text = re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr))  # addresses of functions
        self.constants = [np.asarray(constant).tobytes() for constant in closed.consts]

    def check_same(self, other: Traced) -> None:
        """Raise NotVectorisable unless the step of another seed's build computes the same."""
        if (self.text, self.constants) != (other.text, other.constants):
            raise NotVectorisable("its step depends on the seed beside its initial state")


def _equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from _equations(inner)


def padded(orders: Any, rows: int) -> np.ndarray:
    """Orders of rows, one for each lane, as a loop takes them: int32 (lanes, rows), however few they name.

    An array of its own each time: JAX computes on it while Python goes on.
    """
    found = np.zeros((len(orders), rows), np.int32)
    found[:, : len(orders[0])] = orders
    return found


def stacked(trees: Any) -> Tree:
    """Trees of alike arrays as one, along a new first axis."""
    return jax.tree_util.tree_map(lambda *leaves: jnp.stack(leaves), *trees)


def lane(tree: Tree, number: int) -> Tree:
    """One lane of a stacked tree."""
    return jax.tree_util.tree_map(lambda leaf: leaf[number], tree)


def with_lanes_moved(leaf: Any, moved: Callable[[int, np.ndarray], np.ndarray]) -> Any:
    """The stacked array with moved(lane, array) in each lane."""
    return np.stack([moved(number, array) for number, array in enumerate(np.asarray(leaf))])


def width(seeds: int, state: Tree, step: Traced, rows: int) -> int:
    """How many lanes to train side by side, with an order of so many rows each; one where steps are better run alone."""
    held = jax.local_devices()[0].memory_stats() or {}
    free = held["bytes_limit"] - held.get("bytes_in_use", 0) if "bytes_limit" in held else _groups.free_memory()
    in_cache = jax.default_backend() == "cpu"
    return 1 if step.alone else _groups.width(seeds, nbytes(state), step.nbytes + 8 * rows, in_cache, free)


def nbytes(tree: Tree) -> int:
    """Bytes of all arrays of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree_util.tree_leaves(tree))
