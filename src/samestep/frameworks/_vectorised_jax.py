"""JAX: plain runs of many seeds in one compiled computation, with the adapter's own training step.

The initial state of a seed is what build(seed) returns. Where build is a function of JAX it is called once for all seeds, by
jax.vmap and operation by operation, and two seeds are built alone to see that they agree bit for bit; else each is built alone.
Rows come in the orders that a plain run has, by numpy.random.default_rng(seed); random draws from the program's own key.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import jax
import jax.numpy as jnp
import numpy as np

from samestep.errors import NotVectorisable
from samestep.frameworks import _jax_lanes, _rows
from samestep.frameworks._keras_fit import attributes
from samestep.frameworks.jax import (
    Program,
    _applied,
    _check_precision,
    _evaluation,
    _loss_and_gradients,
    _metrics_aside,
    _stepped,
    load,
)

Tree = Any
Lane = Dict[str, Any]
"""What a training carries on: held (params, state, opt_state), rng, steps, and sums of loss and metrics."""
MOST_KEY = 2**31
"""Seeds below this are the same to jax.random.key as an array and as Python's number."""


def dtype_of(built: Program) -> str:
    """The precision that its rows are given."""
    dtypes = [str(leaf.dtype) for leaf in jax.tree_util.tree_leaves(built.params)]
    return "float64" if "float64" in dtypes else "float32"


class Trainings:
    """The program's trainings: what they share.

    built: what make(seeds[0]) returned; make(seed, traced=None): what build returns after all generators were seeded with
    seed, where traced, if given, is what build is told for a seed. train, held: (x, y), prepared. Raises NotVectorisable,
    with the reason, where values would not be those of plain runs.
    """

    framework = "jax"

    def __init__(
        self,
        built: Program,
        make: Callable[..., Any],
        seeds: List[int],
        train: Any,
        held: Any,
        batch_size: int,
        names_seed: bool,
    ) -> None:
        if built.batches is not None:
            raise NotVectorisable("it has an input pipeline of its own")
        _check_precision(built.params)
        first = _held(built)
        self.program, self.make, self.seeds = load(built, _rows.take(train[0], slice(2))), make, seeds
        self.batch_size, self.rows = batch_size, _rows.count(train[0])
        self.data, self.held = (tuple(_rows.each(jnp.asarray, part) for part in parts) for parts in (train, held))
        self.steps = built.steps
        example = jax.tree_util.tree_map(lambda a: a[: min(batch_size, self.rows)], self.data)
        self.sums = self._no_sums(example)
        lane = self._begun(first)
        traced = _jax_lanes.Traced(self._step, lane, example)
        self._check_other(make, traced, example)
        self.width = _jax_lanes.width(len(seeds), lane, traced, self.rows)
        self.traced = self._can_be_traced(first)
        options = (batch_size, self.width, not traced.alone)
        self.training = _jax_lanes.Loop(self._step, self.data, *options)
        self.evaluation = _jax_lanes.Loop(self._test, self.held, *options)

    def run(
        self,
        seeds: List[int],
        epochs: int,
        watch: Callable[[int], None],
        rows: Optional[int] = None,
        moved: Any = None,
    ) -> List[Dict[str, float]]:
        """{metric: value} of a plain run of each of `width` seeds, side by side. watch(steps) is called now and then.

        rows: only the first so many rows are trained on and held. moved(lane, array): other initial parameters for a lane.
        """
        count = self.rows if rows is None else min(rows, self.rows)
        generators = [np.random.default_rng(seed) for seed in seeds]
        params, *rest = self._initial(seeds)
        if moved is not None:
            params = jax.tree_util.tree_map(lambda leaf: _jax_lanes.with_lanes_moved(leaf, moved), params)
        lanes = jax.vmap(self._begun)((params, *rest))
        for _ in range(epochs):
            order = _jax_lanes.padded([rng.permutation(count) for rng in generators], self.rows)
            lanes = self.training.run(dict(lanes, sums=self._sums_afresh()), order, count, watch)
        last = self._means(lanes["sums"], count)
        held = _rows.count(self.held[0])
        held_rows = held if rows is None else min(rows, held)
        lanes = self.evaluation.run(dict(lanes, sums=self._sums_afresh()), np.arange(held, dtype=np.int32), held_rows)
        measured = self._means(lanes["sums"], held_rows)
        return list(map(_rows.with_validation, last, measured))

    def _begun(self, held: Tuple[Tree, Tree, Tree, Tree]) -> Lane:
        """A lane that begins in this state, its random key last."""
        *held, rng = held  # type: ignore[assignment]
        return {"held": tuple(held), "rng": rng, "steps": jnp.int32(self.steps), "sums": self.sums}

    def _initial(self, seeds: List[int]) -> Any:
        """What the lanes begin in: trees stacked along a first axis."""
        if self.traced:
            return jax.vmap(self._built_for)(jnp.asarray(np.array(seeds, np.int32)))
        alone = {seed: _held(self.make(seed)) for seed in dict.fromkeys(seeds)}
        return _jax_lanes.stacked([alone[seed] for seed in seeds])

    def _built_for(self, seed: Any) -> Any:
        return _held(self.make(self.seeds[0], seed))

    def _can_be_traced(self, first: Any) -> bool:
        """Whether build, called once for all seeds, gives the first and the last what it gives them alone, bit for bit."""
        if max(self.seeds) >= MOST_KEY:
            return False
        ends = [self.seeds[0], self.seeds[-1]]
        seeds = np.array(ends + [self.seeds[0]] * (self.width - 2) if self.width > 1 else ends, np.int32)
        try:
            made = jax.vmap(self._built_for)(jnp.asarray(seeds))
        except Exception:  # what build does with a seed that is no number
            return False
        alone = [first, _held(self.make(self.seeds[-1]))]
        return all(_alike(_jax_lanes.lane(made, number), one) for number, one in enumerate(alone))

    def _check_other(self, make: Callable[..., Any], traced: Any, example: Any) -> None:
        """Raise NotVectorisable where builds of two seeds compute differently, or one of the same seed is not the same."""
        seed = self.seeds[-1] if len(self.seeds) > 1 else self.seeds[0] + 1
        mine, again = (_held(make(self.seeds[0])) for _ in range(2))
        if not _alike(mine, again):
            raise NotVectorisable("build() of one seed does not give the same twice in one process")
        own, self.program = self.program, load(make(seed), _rows.take(self.data[0], slice(2)))
        traced.check_same(_jax_lanes.Traced(self._step, self._begun(mine), example))
        self.program = own

    def _step(self, lane: Lane, batch: Any) -> Lane:
        given = (*lane["held"], *batch, lane["steps"])
        with attributes(self.program, rng=lane["rng"]):
            if self.program.step is None:
                params, _, opt_state = lane["held"]
                loss, state, gradients, metrics = _loss_and_gradients(self.program, *given)
                params, opt_state = _applied(self.program, gradients, params, opt_state)
                held = (params, state, opt_state)
            else:
                metrics = _metrics_aside(self.program, *given)
                *after, loss = _stepped(self.program, *given)
                held = tuple(after)
        sums = self._added(lane["sums"], dict(metrics, loss=loss), batch)
        return dict(lane, held=held, steps=lane["steps"] + 1, sums=sums)

    def _test(self, lane: Lane, batch: Any) -> Lane:
        params, state, _ = lane["held"]
        with attributes(self.program, rng=lane["rng"]):
            loss, metrics = _evaluation(self.program, params, state, *batch)
        return dict(lane, sums=self._added(lane["sums"], dict(metrics, loss=loss), batch))

    def _no_sums(self, example: Any) -> Any:
        """{name: (sum, what rounding has lost of it)}, of loss and metrics."""
        params, state, _, rng = _held(self.program)

        def measured(rng: Any) -> Any:
            with attributes(self.program, rng=rng):
                loss, metrics = _evaluation(self.program, params, state, *example)
            return dict(metrics, loss=loss)

        shapes = jax.eval_shape(measured, rng)
        dtypes = {name: jnp.promote_types(shape.dtype, jnp.float32) for name, shape in shapes.items()}
        return {name: (jnp.zeros((), dtype), jnp.zeros((), dtype)) for name, dtype in dtypes.items()}

    def _sums_afresh(self) -> Any:
        return jax.tree_util.tree_map(lambda leaf: np.zeros((self.width,), leaf.dtype), self.sums)

    def _added(self, sums: Any, values: Dict[str, Any], batch: Any) -> Any:
        """With these values of a batch, weighed by its rows in full batches; as Kahan 1965 adds."""
        weight = _rows.count(batch[0]) / self.batch_size
        found = {}
        for name, value in values.items():
            total, lost = sums[name]
            more = weight * jnp.mean(value).astype(total.dtype) - lost
            after = total + more
            found[name] = (after, (after - total) - more)
        return found

    def _means(self, sums: Any, count: int) -> List[Dict[str, float]]:
        """The means over so many rows, for each lane."""
        exact = {n: np.asarray(total, np.float64) - np.asarray(lost, np.float64) for n, (total, lost) in sums.items()}
        return [
            {name: float(exact[name][lane]) * self.batch_size / count for name in sorted(exact)}
            for lane in range(self.width)
        ]


def _held(program: Any) -> Tuple[Tree, Tree, Tree, Tree]:
    """What a program begins in: params, state, optimizer's state and random key."""
    held = (program.params, program.state, program.opt_state)
    return (*jax.tree_util.tree_map(jnp.asarray, held), program.rng)


def _alike(one: Any, other: Any) -> bool:
    """Whether two trees are the same bit for bit."""
    leaves, structure = jax.tree_util.tree_flatten(one)
    others, its = jax.tree_util.tree_flatten(other)
    return structure == its and all(map(_same_bits, leaves, others))


def _same_bits(one: Any, other: Any) -> bool:
    if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = jax.random.key_data(one), jax.random.key_data(other)
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
