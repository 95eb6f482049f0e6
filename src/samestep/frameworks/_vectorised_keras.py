"""Keras 3 on JAX: plain runs of many seeds in one compiled computation.

What fit does is done by the model's own train_step and test_step, which are pure functions on JAX
(keras/src/backend/jax/trainer.py). Where a plain run of a seed has its randomness from:

- initial weights and seed generators: keras/src/random/seed_generator.py draws their seeds from Python's random, in the
  order of their making. The model is built once for the initialisers, and they are run again with the seeds that Python's
  random would have given, for all seeds at once and operation by operation: the weights are those of the build bit for bit.
- shuffling: numpy.random.permutation, once for a look at the first batch where something has to be built, then once an epoch
  (keras/src/trainers/data_adapters/array_data_adapter.py).
- dropout and the like: the seed generators' states, which a step carries on.
"""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.backend.jax import random as keras_random
from keras.src.random import seed_generator
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.utils import rng_utils

from samestep.errors import NotVectorisable
from samestep.frameworks import _jax_lanes, _keras_fit, _rows
from samestep.frameworks._keras_optimizers import array
from samestep.frameworks.keras import Program

OPTIONS = {
    "shuffle",
    "callbacks",
    "class_weight",
    "sample_weight",
    "verbose",
    "validation_freq",
    "validation_batch_size",
}
"""Of fit, those that are followed here. The validation_ ones without their data do nothing."""
State = Tuple[List[Any], List[Any], List[Any], List[Any]]
"""Trainable, other, optimizer's and metrics' variables, as the model's train_step takes them."""


def seed_all(seed: int) -> None:
    """What keras.utils.set_random_seed does, without importing TensorFlow to seed it: nothing here draws from it."""
    global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, seed)
    global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def dtype_of(built: Any) -> str:
    """The precision that its rows are given."""
    return str(keras.config.floatx())


class Trainings:
    """The program's trainings: what they share.

    make(seed): what build returns after all generators were seeded with it. train, held: (x, y), prepared. Raises
    NotVectorisable, with the reason, where values would not be those of plain runs.
    """

    framework = "keras"

    def __init__(
        self,
        built: Any,
        make: Callable[[int], Any],
        seeds: List[int],
        train: Any,
        held: Any,
        batch_size: int,
        names_seed: bool,
    ) -> None:
        self.batch_size, self.rows = batch_size, _rows.count(train[0])
        other = self._build(built, make, seeds, train)
        self.start: State = self.model._get_jax_state(True, True, True, True)
        self.metrics = [np.asarray(value) for value in self.start[3]]
        self.rate = _index_of(self.model.optimizer.variables, getattr(self.model.optimizer, "_learning_rate", None))
        self.data = _as_fit_has_them(self.program, train, weighted=True)
        self.held = _as_fit_has_them(self.program, held, weighted=False)
        traced = self._traced(other if names_seed else None)
        self.width = _jax_lanes.width(len(seeds), self.start, traced, self.rows)
        self.initial.check(other, _default_seeds(seeds[0], len(self.initial.positions)), self.width)
        options = (batch_size, self.width, not traced.alone)
        self.training = _jax_lanes.Loop(self._step, self.data, *options)
        self.evaluation = _jax_lanes.Loop(self._test, self.held, *options)

    def _build(self, built: Any, make: Callable[[int], Any], seeds: List[int], train: Any) -> Any:
        """Build for another seed than the first, taking notes; the model that was built for the first."""
        other, _ = _completed(built, train, self.batch_size)
        ends = _states()
        noted: Dict[int, Any] = {}
        drawn: List[int] = []
        seed = seeds[-1] if len(seeds) > 1 else seeds[0] + 1
        with _initialisers_noted(noted), _default_seeds_noted(drawn):
            self.program, self.looks = _completed(make(seed), train, self.batch_size)
        _check_draws(seed, drawn, _states())
        _check_draws(seeds[0], _default_seeds(seeds[0], len(drawn)), ends)
        _check_options(self.program)
        self.model = self.program.model
        self.model.reset_metrics()
        self.initial = _Initial(self.model, drawn, noted)
        return other.model

    def _traced(self, other: Any) -> Any:
        """What is known of a step; raises NotVectorisable if another model's is not the same."""
        example = jax.tree_util.tree_map(lambda a: a[: min(self.batch_size, self.rows)], self.data)
        traced = _jax_lanes.Traced(self._step, self.start, example)
        if other is not None:
            with _keras_fit.attributes(self, model=other):
                traced.check_same(_jax_lanes.Traced(self._step, self.start, example))
        return traced

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
        shuffling = [_Shuffling(seed, self.program.own_fit.get("shuffle", True), self.batch_size) for seed in seeds]
        for order in shuffling * self.looks:
            order.look(count)
        state = self._initial(seeds, moved)
        for epoch in range(epochs):
            state = self._at_epoch(state, epoch)
            state = self.training.run(state, self._order([order.epoch(count) for order in shuffling]), count, watch)
        last = [dict(logs, **self._rate_shown(epochs)) for logs in self._logs(state[3])]
        state = self.evaluation.run(self._metrics_afresh(state), *self._held_rows(rows))
        return list(map(_rows.with_validation, last, self._logs(state[3])))

    def _initial(self, seeds: List[int], moved: Any) -> State:
        trainable, others = self.initial.of([_default_seeds(seed, len(self.initial.positions)) for seed in seeds])
        if moved is not None:
            trainable = [_jax_lanes.with_lanes_moved(v, moved) for v in trainable]
        return trainable, others, self._repeated(self.start[2]), []

    def _repeated(self, values: List[Any]) -> List[Any]:
        return [np.broadcast_to(np.asarray(value), (self.width, *np.shape(value))) for value in values]

    def _held_rows(self, rows: Optional[int]) -> Tuple[Any, int]:
        """The order in which held rows are evaluated, and how many of them."""
        held = len(jax.tree_util.tree_leaves(self.held)[0])
        return np.arange(held, dtype=np.int32), held if rows is None else min(rows, held)

    def _order(self, orders: List[Any]) -> Any:
        return np.arange(self.rows, dtype=np.int32) if orders[0] is None else _jax_lanes.padded(orders, self.rows)

    def _at_epoch(self, state: State, epoch: int) -> State:
        """The state as an epoch begins: metrics afresh, and the learning rate that schedulers set."""
        trainable, others, optimizer, metrics = self._metrics_afresh(state)
        if _keras_fit.schedulers(self.program):
            rate = np.float32(_keras_fit.rate_after(self.program, epoch + 1))
            optimizer = [jnp.full_like(v, rate) if i == self.rate else v for i, v in enumerate(optimizer)]
        return trainable, others, optimizer, metrics

    def _rate_shown(self, epochs: int) -> Dict[str, float]:
        """What LearningRateScheduler adds to the logs of the last epoch."""
        if not _keras_fit.schedulers(self.program):
            return {}
        return {"learning_rate": float(np.float32(_keras_fit.rate_after(self.program, epochs)))}

    def _metrics_afresh(self, state: State) -> State:
        return (*state[:3], self._repeated(self.metrics))

    def _step(self, state: State, batch: Any) -> State:
        with _no_default_seeds(self.initial.positions):
            logs, after = self.model.train_step(state, batch)
        self._check_logs(logs)
        return tuple(list(group) for group in after)  # type: ignore[return-value]

    def _test(self, state: State, batch: Any) -> State:
        trainable, others, optimizer, metrics = state
        logs, after = self.model.test_step((trainable, others, metrics), batch)
        self._check_logs(logs)
        return list(after[0]), list(after[1]), optimizer, list(after[2])

    def _check_logs(self, logs: Any) -> None:
        if set(logs) != set(self.model.get_metrics_result()):
            raise NotVectorisable(
                "its train_step or test_step shows {}, its metrics are {}".format(
                    ", ".join(sorted(logs)), ", ".join(sorted(self.model.get_metrics_result()))
                )
            )

    def _logs(self, metrics: List[Any]) -> List[Dict[str, float]]:
        """What the metrics' variables amount to, for each lane."""

        def result(values: List[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(self.model.metrics_variables, values))):
                return self.model.get_metrics_result()

        found = jax.tree_util.tree_map(np.asarray, jax.vmap(result)(metrics))
        return [_keras_fit.plain_logs(_jax_lanes.lane(found, number)) for number in range(self.width)]


class _Initial:
    """Initial variables of any seed, from what one build showed.

    noted: {id of a variable: its initialiser}. draws: the default seeds that were drawn for the build.
    """

    def __init__(self, model: Any, draws: List[int], noted: Dict[int, Any]) -> None:
        self.positions, self.noted = {draw: i for i, draw in enumerate(draws)}, noted
        self.groups = _groups(model)
        self.rest = _optimizer_and_metrics(model)

    def of(self, drawn: List[List[int]]) -> Tuple[List[Any], List[Any]]:
        """(trainable, other variables), each with a first axis of the seeds, from the default seeds drawn for each."""
        numbers = jnp.asarray(np.array(drawn, np.uint32).reshape(len(drawn), len(self.positions)))
        return jax.vmap(self._made)(numbers)

    def check(self, model: Any, draws: List[int], width: int) -> None:
        """Raise NotVectorisable unless another build has the variables that would be made for its seed, bit for bit.

        They are made for so many lanes, as they will be.
        """
        rest = _optimizer_and_metrics(model)
        alike = [_bytes(value) for value in rest] == [_bytes(value) for value in self.rest]
        made = [[array(v[0]) for v in group] for group in self.of([draws] * width)] if alike else []
        has = [[array(v) for v in group] for group in _groups(model)]
        if [list(map(_bytes, group)) for group in made] != [list(map(_bytes, group)) for group in has]:
            raise NotVectorisable(
                "its initial state follows from the seed in another way than by the seeds that Keras gives to initialisers "
                "and random layers that have none"
            )

    def _made(self, drawn: Any) -> Tuple[List[Any], List[Any]]:
        with _drawing(self.positions, drawn):
            trainable, others = ([self._value(variable, drawn) for variable in group] for group in self.groups)
            return trainable, others

    def _value(self, variable: Any, drawn: Any) -> Any:
        value = array(variable)
        if value.shape == (2,) and value.dtype == np.uint32 and int(value[0]) in self.positions:
            return jnp.stack([drawn[self.positions[int(value[0])]], jnp.uint32(value[1])])  # of a seed generator
        if id(variable) not in self.noted:  # made of an array
            return jnp.asarray(value)
        return jnp.asarray(self.noted[id(variable)](variable.shape, dtype=variable.dtype))


def _groups(model: Any) -> List[List[Any]]:
    return [model.trainable_variables, model.non_trainable_variables]


def _optimizer_and_metrics(model: Any) -> List[np.ndarray]:
    return [array(v) for v in (*model.optimizer.variables, *model.metrics_variables)]


def _bytes(value: np.ndarray) -> Any:
    return value.shape, value.dtype.str, value.tobytes()


class _Shuffling:
    """The orders of rows that fit has with a seed."""

    def __init__(self, seed: int, shuffle: Any, batch_size: int) -> None:
        self.numpy, self.shuffle, self.batch_size = np.random.RandomState(seed % 2**32), shuffle, batch_size

    def look(self, rows: int) -> None:
        """The draws of the first batch of an epoch."""
        if self.shuffle == "batch":
            self.numpy.permutation(min(self.batch_size, rows))
        elif self.shuffle:
            self.numpy.permutation(rows)

    def epoch(self, rows: int) -> Any:
        """The order of an epoch, int (rows,); None for that of the rows."""
        if self.shuffle == "batch":
            starts = range(0, rows, self.batch_size)
            return np.concatenate([self.numpy.permutation(min(self.batch_size, rows - s)) + s for s in starts])
        return self.numpy.permutation(rows) if self.shuffle else None


def _completed(built: Any, train: Any, batch_size: int) -> Tuple[Program, int]:
    """(program, looks at the first batch) of what build returned, once all is built that fit would build."""
    program = built if isinstance(built, Program) else Program(built)
    _check_model(program)
    look = _Look(_first_batch(program, train, batch_size))
    program.model._symbolic_build(iterator=look)
    return program, look.count


class _Look:
    """An epoch of one batch that counts how often it is looked at."""

    def __init__(self, batch: Any) -> None:
        self.batch, self.count = batch, 0

    def __iter__(self) -> Iterator[Any]:
        self.count += 1
        yield 0, 1, iter([self.batch])


@contextlib.contextmanager
def _initialisers_noted(found: Dict[int, Any]) -> Iterator[None]:
    """Note {id: initialiser} of the variables that initialisers make within the block."""
    original = keras.Variable._initialize_with_initializer

    def initialise(self: Any, initializer: Any) -> None:
        original(self, initializer)
        found[id(self)] = initializer

    with _keras_fit.attributes(keras.Variable, _initialize_with_initializer=initialise):
        yield


@contextlib.contextmanager
def _default_seeds_noted(drawn: List[int]) -> Iterator[None]:
    """Note the default seeds that Keras draws from Python's random within the block."""

    class Noting:
        @staticmethod
        def randint(low: int, high: int) -> int:
            drawn.append(random.randint(low, high))
            return drawn[-1]

    with _keras_fit.attributes(seed_generator, python_random=Noting):
        yield


@contextlib.contextmanager
def _drawing(positions: Dict[int, int], drawn: Any) -> Iterator[None]:
    """Within the block, a default seed stands for the one of another seed: the same place in `drawn`, uint32."""
    original = keras_random.draw_seed

    def draw(seed: Any) -> Any:
        if type(seed) is int and seed in positions:
            return jnp.stack([drawn[positions[seed]], jnp.uint32(0)])
        return original(seed)

    with _keras_fit.attributes(keras_random, draw_seed=draw):
        yield


@contextlib.contextmanager
def _no_default_seeds(positions: Dict[int, int]) -> Iterator[None]:
    """Raise NotVectorisable for a default seed that a step holds as a constant: it would be that of the first seed."""
    original = keras_random.draw_seed

    def draw(seed: Any) -> Any:
        if type(seed) is int and seed in positions:
            raise NotVectorisable(
                "a layer draws with a seed that it got when it was made, and not with a seed generator"
            )
        return original(seed)

    with _keras_fit.attributes(keras_random, draw_seed=draw):
        yield


def _default_seeds(seed: int, count: int) -> List[int]:
    """The first default seeds that Keras draws after random.seed(seed)."""
    generator = random.Random(seed)
    return [generator.randint(1, int(1e9)) for _ in range(count)]


def _states() -> Any:
    """Of Python's and NumPy's global generators."""
    return random.getstate(), np.random.get_state()


def _check_draws(seed: int, drawn: List[int], states: Any) -> None:
    """Raise NotVectorisable where more than these default seeds was drawn since seeding."""
    python = random.Random(seed)
    if drawn != [python.randint(1, int(1e9)) for _ in drawn] or python.getstate() != states[0]:
        raise NotVectorisable("its build() draws numbers from Python's random itself")
    numpy = np.random.RandomState(seed % 2**32).get_state()
    if not all(map(np.array_equal, numpy, states[1])):
        raise NotVectorisable("its build() draws numbers from NumPy's random")


def _check_model(program: Program) -> None:
    model = program.model
    if program.batches is not None:
        raise NotVectorisable("it has an input pipeline of its own")
    if not model.compiled:
        raise NotVectorisable("its model is not compiled")
    if model.run_eagerly:
        raise NotVectorisable("its model runs eagerly (run_eagerly=True)")
    if "tensorflow" in sys.modules:
        raise NotVectorisable("it uses TensorFlow beside Keras, so that its model cannot be trained on JAX")


def _check_options(program: Program) -> None:
    odd = sorted(set(program.own_fit) - OPTIONS)
    if odd:
        raise NotVectorisable("fit is given {}".format(", ".join(odd)))
    known = keras.callbacks.LearningRateScheduler
    others = [type(c).__name__ for c in program.own_fit.get("callbacks", ()) if type(c) is not known]
    if others:
        raise NotVectorisable("fit is given callbacks other than LearningRateScheduler: {}".format(", ".join(others)))
    program.first_rate = float(array(program.model.optimizer.learning_rate))


def _as_fit_has_them(program: Program, rows: Any, weighted: bool, count: Optional[int] = None) -> Any:
    """All rows as the one batch that fit, or evaluate, would make of them: (x, y) or (x, y, weights)."""
    given = _keras_fit.weights(program.own_fit, *rows) if weighted else {}
    adapter = ArrayDataAdapter(*rows, batch_size=_rows.count(rows[0]), **given)
    return jax.tree_util.tree_map(jnp.asarray, next(iter(adapter.get_jax_iterator())))


def _first_batch(program: Program, train: Any, batch_size: int) -> Any:
    first = tuple(_rows.take(part, slice(batch_size)) for part in train)
    return _as_fit_has_them(program, first, weighted=True)


def _index_of(variables: List[Any], wanted: Any) -> Optional[int]:
    return next((i for i, variable in enumerate(variables) if variable is wanted), None)
