"""JAX programs as people write them: observation changes nothing, and each mutant is found in the stage that it alters."""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from programs.in_process import InProcess, compare, first_difference, stage_apart
from samestep.errors import ProgramError
from samestep.frameworks import _jax_layers
from samestep.frameworks.jax import Program
from samestep.matching.aligning import align
from samestep.matching.sides import Sides

rng = np.random.default_rng(0)
X = rng.normal(size=(48, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
DATA = (X, Y)
BATCH = 16
PARTS = [slice(start, start + BATCH) for start in range(0, len(X), BATCH)]
SEQUENCES = (rng.normal(size=(32, 5, 4)).astype(np.float32), Y[:32])
IMAGES = (rng.normal(size=(32, 5, 6, 4)).astype(np.float32), Y[:32])


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits, labels):
    return (logits.argmax(axis=1) == labels).mean()


@pytest.fixture(autouse=True, scope="module")
def compiled_once(tmp_path_factory):
    """What was compiled is kept for the next test that needs the same; JAX's usual generator takes long to compile."""
    wanted = {
        "jax_default_prng_impl": "unsafe_rbg",
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


STATED = {"loss": loss, "metrics": {"accuracy": accuracy}}


# --- programs ---


def weights():
    """The last layer comes first in the order of names, and its bias before its kernel."""
    draw = np.random.default_rng(1).normal
    kernels = [jnp.asarray(draw(scale=0.4, size=shape), jnp.float32) for shape in ((6, 8), (8, 3))]
    return {
        "last": {"kernel": kernels[1], "bias": jnp.zeros(3)},
        "middle": {"kernel": kernels[0], "bias": jnp.zeros(8)},
    }


def forward(params, x):
    hidden = jax.nn.relu(x @ params["middle"]["kernel"] + params["middle"]["bias"])
    return hidden @ params["last"]["kernel"] + params["last"]["bias"]


def plain(optimizer=None, **options):
    return Program(forward, weights(), optimizer=optimizer or optax.adam(0.01), **{**STATED, **options})


def objective(params, x, y):
    return loss(forward(params, x), y)


def own_step(optimizer=None, wrap=jax.jit, clip=None, jitted_within=False):
    optimizer = optimizer or optax.adam(0.01)
    grad = jax.value_and_grad(objective)
    apply = optimizer.update
    if jitted_within:
        grad, apply = jax.jit(grad), jax.jit(lambda *args: optimizer.update(*args))

    def step(params, opt_state, x, y):
        value, gradients = grad(params, x, y)
        if clip:
            gradients = jax.tree.map(lambda gradient: jnp.clip(gradient, -clip, clip), gradients)
        updates, opt_state = apply(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    return Program(forward, weights(), optimizer=optimizer, step=wrap(step), **STATED)


def without_optimizer(rate=0.1, times=1):
    """times: what the loss is shown as is so many times the one that is minimised."""

    @jax.jit
    def step(params, opt_state, x, y):
        value, gradients = jax.value_and_grad(objective)(params, x, y)
        return jax.tree.map(lambda p, g: p - rate * g, params, gradients), opt_state, times * value

    return Program(forward, weights(), step=step, **STATED)


def by_hand_normalised(momentum=0.9):
    """Batch statistics as state of a pure function."""

    def apply(params, state, x, training):
        hidden = x @ params["first"]
        mean, variance = state["mean"], state["variance"]
        if training:
            mean, variance = hidden.mean(0), hidden.var(0)
            state = {
                "mean": momentum * state["mean"] + (1 - momentum) * mean,
                "variance": momentum * state["variance"] + (1 - momentum) * variance,
            }
        normal = (hidden - mean) / jnp.sqrt(variance + 1e-5) * params["gamma"] + params["beta"]
        return jax.nn.relu(normal) @ params["kernel"] + params["bias"], state

    middle, last = weights()["middle"], weights()["last"]
    params = {"first": middle["kernel"], "gamma": jnp.ones(8), "beta": jnp.zeros(8), **last}
    state = {"mean": jnp.zeros(8), "variance": jnp.ones(8)}
    return Program(apply, params, state=state, optimizer=optax.adam(0.01), **STATED)


class Block(nn.Module):
    rate: float = 0.0
    momentum: float = 0.9

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(8, use_bias=False)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=self.momentum)(x)
        return nn.Dropout(self.rate, deterministic=not train)(nn.relu(x))


class Linen(nn.Module):
    rate: float = 0.0
    momentum: float = 0.9

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(3)(Block(self.rate, self.momentum)(x, train))


def linen(optimizer=None, **options):
    module = Linen(**options)
    variables = module.init(jax.random.key(0), X[:2])
    return Program(module, variables, optimizer=optimizer or optax.adam(0.01), **STATED)


class Nnx(nnx.Module):
    def __init__(self, rate=0.0, momentum=0.9):
        rngs = nnx.Rngs(0)
        self.last = nnx.Linear(8, 3, rngs=rngs)
        self.first = nnx.Linear(6, 8, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=momentum, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))


def in_nnx(**options):
    return Program(Nnx(**options), optimizer=optax.adam(0.01), **STATED)


@nnx.jit
def nnx_step(model, optimizer, x, y):
    value, gradients = nnx.value_and_grad(lambda model: loss(model(x), y))(model)
    optimizer.update(model, gradients)
    return value


def in_nnx_with_own_step(step=nnx_step, **options):
    model = Nnx(**options)
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)
    return Program(model, optimizer=optimizer, step=step, **STATED)


class Equinox(eqx.Module):
    first: eqx.nn.Linear
    norm: eqx.nn.LayerNorm
    dropout: eqx.nn.Dropout
    activation: Any
    last: eqx.nn.Linear

    def __init__(self, rate=0.0):
        keys = jax.random.split(jax.random.key(0))
        self.first, self.last = eqx.nn.Linear(6, 8, key=keys[0]), eqx.nn.Linear(8, 3, key=keys[1])
        self.norm, self.dropout, self.activation = eqx.nn.LayerNorm(8), eqx.nn.Dropout(rate), jax.nn.relu

    def __call__(self, x, key=None):
        return self.last(self.dropout(self.activation(self.norm(self.first(x))), key=key))


def in_equinox(**options):
    return Program(Equinox(**options), optimizer=optax.adam(0.01), **STATED)


class LayerNormalised(nn.Module):
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.LayerNorm(epsilon=self.epsilon)(nn.Dense(8)(x))))


def layer_normalised(**options):
    module = LayerNormalised(**options)
    return Program(module, module.init(jax.random.key(0), X[:2]), optimizer=optax.adam(0.01), **STATED)


# --- training is the author's, to the bit ---


def batches():
    return [(X[part], Y[part]) for _ in range(2) for part in PARTS]


def plain_by_hand():
    params, optimizer = weights(), optax.adam(0.01)

    @jax.jit
    def step(params, opt_state, x, y):
        gradients = jax.grad(objective)(params, x, y)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = optimizer.init(params)
    for x, y in batches():
        params, opt_state = step(params, opt_state, x, y)
    return params


def linen_by_hand():
    module, optimizer = Linen(rate=0.3), optax.adam(0.01)
    variables = module.init(jax.random.key(0), X[:2])
    params, statistics = variables["params"], variables["batch_stats"]

    @jax.jit
    def step(params, statistics, opt_state, x, y, count):
        def objective(params):
            key = jax.random.fold_in(jax.random.key(0), count)
            held = {"params": params, "batch_stats": statistics}
            logits, changed = module.apply(held, x, train=True, mutable=["batch_stats"], rngs={"dropout": key})
            return loss(logits, y), changed["batch_stats"]

        (_, statistics), gradients = jax.value_and_grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), statistics, opt_state

    opt_state = optimizer.init(params)
    for count, (x, y) in enumerate(batches()):
        params, statistics, opt_state = step(params, statistics, opt_state, x, y, count)
    return {**params, "batch_stats": statistics}


def nnx_by_hand():
    model = Nnx(rate=0.3)
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)
    model.train()
    for x, y in batches():
        nnx_step(model, optimizer, x, y)
    return nnx.to_pure_dict(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat)))


def equinox_by_hand():
    model, optimizer = Equinox(), optax.adam(0.01)

    @eqx.filter_jit
    def step(model, opt_state, x, y):
        gradients = eqx.filter_grad(lambda model: loss(jax.vmap(model)(x), y))(model)
        updates, opt_state = optimizer.update(gradients, opt_state, eqx.filter(model, eqx.is_inexact_array))
        return eqx.apply_updates(model, updates), opt_state

    opt_state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    for x, y in batches():
        model, opt_state = step(model, opt_state, x, y)
    return eqx.filter(model, eqx.is_inexact_array)


BY_HAND = {
    "a function": (plain, plain_by_hand),
    "a step that gives away its arguments": (
        lambda: own_step(wrap=lambda step: jax.jit(step, donate_argnums=(0, 1))),
        plain_by_hand,
    ),
    "linen with statistics and dropout": (lambda: linen(rate=0.3), linen_by_hand),
    "nnx with statistics and dropout": (lambda: in_nnx(rate=0.3), nnx_by_hand),
    "nnx with a step of its own": (lambda: in_nnx_with_own_step(rate=0.3), nnx_by_hand),
    "equinox": (in_equinox, equinox_by_hand),
}
OBSERVATIONS = [
    ("forward", {"x": X[:BATCH], "training": True}),
    ("gradients", {"x": X[:BATCH], "y": Y[:BATCH]}),
    ("step", {"x": X[:BATCH], "y": Y[:BATCH]}),
    ("evaluate", {"rows": 32, "batch_size": BATCH}),
    ("batches", {"batch_size": BATCH, "epochs": 2}),
    ("rates", {"steps": [0, 5, 50]}),
    ("settings", {}),
]


OBSERVED = ("a function", "linen with statistics and dropout", "nnx with a step of its own")


@pytest.mark.parametrize("name", BY_HAND)
def test_training_gives_the_bits_of_the_loop_that_one_writes_by_hand_and_observation_leaves_them(name):
    build, by_hand = BY_HAND[name]
    worker = InProcess(build, *DATA)
    for _ in range(2):
        before = worker.ask("state")
        for do, arguments in OBSERVATIONS if name in OBSERVED else ():
            worker.ask(do, **arguments)
            assert_bit_equal(before, worker.ask("state"), do)
        worker.ask("train", batch_size=BATCH, epochs=1)
    state = worker.ask("state")
    found = {**state["parameters"], **state["buffers"]}
    expected = {"/".join(_text(path)): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(by_hand())[0]}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert np.array(value).tobytes() == found[key].tobytes(), key


def _text(path):
    return [str(next(getattr(key, a) for a in ("key", "idx", "name") if hasattr(key, a))) for key in path]


def assert_bit_equal(one, other, after):
    assert one.keys() == other.keys()
    for group, entries in one.items():
        assert entries.keys() == other[group].keys()
        for name, value in entries.items():
            assert value.tobytes() == other[group][name].tobytes(), f"{group} {name} changed by {after}"


def test_a_state_that_was_read_keeps_its_bits_when_training_goes_on():
    worker = InProcess(lambda: own_step(wrap=lambda step: jax.jit(step, donate_argnums=(0, 1))), *DATA)
    state = worker.ask("state")
    copies = {group: {name: value.copy() for name, value in entries.items()} for group, entries in state.items()}
    worker.ask("train", batch_size=BATCH, steps=2)
    assert_bit_equal(copies, state, "training")


@pytest.mark.parametrize("build", [lambda: linen(rate=0.3), lambda: in_nnx_with_own_step(rate=0.3), by_hand_normalised])
def test_a_state_written_into_another_program_makes_it_train_on_alike(build):
    first, second = InProcess(build, *DATA), InProcess(build, *DATA)
    first.ask("train", batch_size=BATCH, steps=3)
    second.ask("state", values=first.ask("state"))
    for worker in (first, second):
        worker.ask("train", batch_size=BATCH, steps=3)
    assert_bit_equal(first.ask("state"), second.ask("state"), "its own training")
    assert int(first.ask("state")["counters"]["step"]) == 6


# --- optimizers ---

FREEZE = {"last": {"kernel": "free", "bias": "frozen"}, "middle": {"kernel": "free", "bias": "free"}}
OPTIMIZERS = {
    "sgd": (lambda: optax.sgd(0.1), {}),
    "momentum": (lambda: optax.sgd(0.1, momentum=0.9, nesterov=True), {"momentum": lambda s: s[0].trace}),
    "the rate before momentum": (
        lambda: optax.chain(optax.scale(-0.1), optax.trace(0.9)),
        {"rated_momentum": lambda s: s[1].trace},
    ),
    "adam": (lambda: optax.adam(0.01), {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu}),
    "adamw": (
        lambda: optax.adamw(0.01, weight_decay=0.1),
        {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu},
    ),
    "nadam": (lambda: optax.nadam(0.01), {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu}),
    "adamax": (lambda: optax.adamax(0.01), {"first_moment": lambda s: s[0].mu, "infinity_norm": lambda s: s[0].nu}),
    "amsgrad": (
        lambda: optax.amsgrad(0.01),
        {
            "first_moment": lambda s: s[0].mu,
            "second_moment": lambda s: s[0].nu,
            "max_corrected_second_moment": lambda s: s[0].nu_max,
        },
    ),
    "adabelief": (
        lambda: optax.adabelief(0.01),
        {"first_moment": lambda s: s[0].mu, "second_moment_of_surprise": lambda s: s[0].nu},
    ),
    "lion": (lambda: optax.lion(0.001), {"first_moment": lambda s: s[0].mu}),
    "lamb": (lambda: optax.lamb(0.01), {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu}),
    "radam": (lambda: optax.radam(0.01), {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu}),
    "rmsprop": (lambda: optax.rmsprop(0.01), {"mean_square": lambda s: s[0].nu}),
    "rmsprop, centred, momentum": (
        lambda: optax.rmsprop(0.01, centered=True, momentum=0.9),
        {
            "mean_gradient": lambda s: s[0].mu,
            "mean_square": lambda s: s[0].nu,
            "negative_rated_update": lambda s: s[2].trace,
        },
    ),
    "adagrad": (lambda: optax.adagrad(0.1), {"accumulator": lambda s: s[0].sum_of_squares}),
    "adadelta": (
        lambda: optax.adadelta(1.0),
        {"accumulated_grad": lambda s: s[1].e_g, "accumulated_delta_var": lambda s: s[1].e_x},
    ),
    "adafactor": (
        lambda: optax.adafactor(0.01),
        {name: lambda s, n=name: getattr(s[0], n) for name in ("v_row", "v_col", "v")},
    ),
    "clipped": (
        lambda: optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.1, momentum=0.9)),
        {"momentum": lambda s: s[1][0].trace},
    ),
    "scheduled": (
        lambda: optax.adam(optax.exponential_decay(0.01, 2, 0.5)),
        {"first_moment": lambda s: s[0].mu, "second_moment": lambda s: s[0].nu},
    ),
    "injected": (
        lambda: optax.inject_hyperparams(optax.sgd)(optax.linear_schedule(0.1, 0.0, 9), momentum=0.9),
        {"momentum": lambda s: s.inner_state[0].trace},
    ),
    "accumulated": (
        lambda: optax.MultiSteps(optax.adam(0.01), every_k_schedule=2),
        {
            "acc_grads": lambda s: s.acc_grads,
            "first_moment": lambda s: s.inner_opt_state[0].mu,
            "second_moment": lambda s: s.inner_opt_state[0].nu,
        },
    ),
    "a frozen bias": (
        lambda: optax.multi_transform({"free": optax.sgd(0.1, momentum=0.9), "frozen": optax.set_to_zero()}, FREEZE),
        {"momentum": lambda s: s.inner_states["free"].inner_state[0].trace},
    ),
    "of two kinds": (
        lambda: optax.partition({"free": optax.adam(0.01), "frozen": optax.sgd(0.1, momentum=0.9)}, FREEZE),
        {
            "first_moment": lambda s: s.inner_states["free"].inner_state[0].mu,
            "second_moment": lambda s: s.inner_states["free"].inner_state[0].nu,
            "momentum": lambda s: s.inner_states["frozen"].inner_state[0].trace,
        },
    ),
}


def some_gradients(count):
    draws = np.random.default_rng(2)
    return [
        jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape), jnp.float32), weights())
        for _ in range(count)
    ]


def flat(tree):
    return {"/".join(_text(path)): np.array(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def updated_by_hand(optimizer, gradients):
    params, opt_state = weights(), optimizer.init(weights())
    for given in gradients:
        updates, opt_state = optimizer.update(given, opt_state, params)
        params = optax.apply_updates(params, updates)
    return params, opt_state


def apply_updates(worker, gradients):
    """The program goes on from each of these updates."""
    for given in gradients:
        after = worker.ask("update", gradients=flat(given), x=X[:BATCH], y=Y[:BATCH])
        worker.ask("state", values=after)
    return worker.ask("state")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_are_those_of_optax_and_follow_from_the_step_where_only_that_is_written(name):
    make, roles = OPTIMIZERS[name]
    worker = InProcess(lambda: plain(make()), *DATA)
    gradients = some_gradients(4)
    state = apply_updates(worker, gradients[:3])
    params, opt_state = updated_by_hand(make(), gradients[:3])
    expected = {f"{role}|{n}": leaf for role, tree in roles.items() for n, leaf in flat(tree(opt_state)).items()}
    assert_bit_equal(
        {"slots": expected, "parameters": flat(params)}, {k: state[k] for k in ("slots", "parameters")}, name
    )
    other = InProcess(lambda: plain(make()), *DATA)
    other.ask("state", values={group: state[group] for group in ("parameters", "slots", "counters")})
    after = [apply_updates(each, gradients[3:]) for each in (worker, other)]
    assert_bit_equal(*[{k: s[k] for k in ("parameters", "slots", "counters")} for s in after], "the next update")
    assert_bit_equal(
        {"parameters": flat(updated_by_hand(make(), gradients)[0])}, {"parameters": after[0]["parameters"]}, name
    )


SETTINGS = {
    "adam": (
        optax.adam,
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-3},
        {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps"},
    ),
    "adamw": (optax.adamw, {"learning_rate": 0.01, "weight_decay": 0.1}, {}),
    "sgd": (optax.sgd, {"learning_rate": 0.1, "momentum": 0.9}, {}),
    "rmsprop": (optax.rmsprop, {"learning_rate": 0.01, "decay": 0.9, "momentum": 0.5}, {"rho": "decay"}),
    "adagrad": (optax.adagrad, {"learning_rate": 0.1, "eps": 1e-2}, {"epsilon": "eps"}),
    "adadelta": (optax.adadelta, {"learning_rate": 1.0, "rho": 0.9, "eps": 1e-3}, {"epsilon": "eps"}),
    "adamax": (optax.adamax, {"learning_rate": 0.01, "b2": 0.99}, {"beta_2": "b2"}),
    "amsgrad": (optax.amsgrad, {"learning_rate": 0.01, "b1": 0.8}, {"beta_1": "b1"}),
    "lion": (optax.lion, {"learning_rate": 0.01, "b1": 0.9, "weight_decay": 0.1}, {"beta_1": "b1"}),
    "adafactor": (optax.adafactor, {"learning_rate": 0.01}, {}),
    "injected": (optax.inject_hyperparams(optax.adam), {"learning_rate": 0.01, "b1": 0.9}, {"beta_1": "b1"}),
    "clipped": (
        lambda learning_rate, max_norm: optax.chain(optax.clip_by_global_norm(max_norm), optax.sgd(learning_rate)),
        {"learning_rate": 0.1, "max_norm": 0.5},
        {"global_clipnorm": "max_norm"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_written_is_that_of_the_next_update(name):
    make, given, names = SETTINGS[name]
    gradients = some_gradients(2)
    worker = InProcess(lambda: plain(make(**given)), *DATA)
    found, start = worker.ask("settings"), worker.ask("state")
    unmoved = apply_updates(worker, gradients)
    for setting, argument in {**{n: n for n in given if n not in names.values()}, **names}.items():
        assert found[setting]["value"] == pytest.approx(given[argument], rel=1e-6)
        assert found[setting]["dtype"] == "float32"
        worker.ask("state", values=start)
        worker.ask("settings", values={setting: given[argument] * 0.9})
        moved = apply_updates(worker, gradients)
        expected = updated_by_hand(make(**dict(given, **{argument: given[argument] * 0.9})), gradients)[0]
        assert_near(moved["parameters"], flat(expected))
        assert any(np.any(moved["parameters"][n] != value) for n, value in unmoved["parameters"].items()), setting
        worker.ask("settings", values={setting: found[setting]["value"]})
        assert worker.ask("settings") == found
    worker.ask("state", values=start)
    assert_bit_equal(unmoved, apply_updates(worker, gradients), "settings that were put back")


def assert_near(one, other):
    for name, value in other.items():
        np.testing.assert_allclose(one[name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "build", [plain, own_step, lambda optimizer: own_step(optimizer, jitted_within=True, wrap=lambda step: step)]
)
def test_a_setting_that_is_written_is_that_of_the_compiled_step_and_so_is_the_one_before(build):
    worker = InProcess(lambda: build(optax.sgd(0.1)), *DATA)
    start = worker.ask("state")
    ends = []
    for rate in (0.1, 0.05, 0.1):
        worker.ask("state", values=start)
        worker.ask("settings", values={"learning_rate": rate})
        worker.ask("train", batch_size=BATCH, steps=1)
        ends.append({n: v - start["parameters"][n] for n, v in worker.ask("state")["parameters"].items()})
    assert_bit_equal({"": ends[0]}, {"": ends[2]}, "settings that were put back")
    for name, move in ends[0].items():
        np.testing.assert_allclose(ends[1][name], move / 2, rtol=1e-3, atol=1e-7)


DECAY = optax.exponential_decay(0.1, 4, 0.5)
SCHEDULE = optax.exponential_decay(0.1, 4, 0.5, staircase=True)
SCHEDULED = {
    "of an optimizer": lambda: optax.adam(SCHEDULE),
    "of a transformation": lambda: optax.chain(
        optax.scale_by_adam(), optax.scale_by_schedule(SCHEDULE), optax.scale(-1.0)
    ),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(SCHEDULE),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_the_learning_rate_follows_the_step_and_is_left_to_its_schedule(name):
    worker = InProcess(lambda: plain(SCHEDULED[name]()), *DATA)
    rates = worker.ask("rates", steps=[0, 3, 4, 12])
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.05, 0.0125], rtol=1e-6)
    worker.ask("settings", values={"learning_rate": 7.0})
    assert worker.ask("settings")["learning_rate"]["value"] == pytest.approx(0.1)
    worker.ask("train", batch_size=BATCH, steps=4)
    assert worker.ask("settings")["learning_rate"]["value"] == pytest.approx(0.05)


# --- what is seen ---


def test_parameters_come_in_the_order_of_their_use():
    names = [entry["name"] for entry in InProcess(plain, *DATA).ask("describe")["parameters"]]
    assert names == ["middle/kernel", "middle/bias", "last/kernel", "last/bias"]


class Recurrent(nn.Module):
    """Its head is made first, and a dense layer runs twice."""

    def setup(self):
        self.head = nn.Dense(3)
        self.again = nn.Dense(4)
        self.cell = nn.RNN(nn.OptimizedLSTMCell(4))

    def __call__(self, x):
        return self.head(self.again(nn.relu(self.again(self.cell(x)[:, -1]))))


def recurrent():
    module = Recurrent()
    return Program(module, module.init(jax.random.key(0), SEQUENCES[0][:2]), optimizer=optax.adam(0.01), **STATED)


def test_layers_of_a_module_show_their_outputs_under_their_paths_in_the_order_of_their_calls():
    worker = InProcess(recurrent, *SEQUENCES)
    seen = worker.ask("forward", x=SEQUENCES[0][:4], training=False)
    assert list(seen["activations"]) == ["cell", "again", "Recurrent.__call__/relu", "again#2", "head"]
    program = worker.session.program
    _, kept = Recurrent().apply({"params": program.params}, SEQUENCES[0][:4], capture_intermediates=True)
    expected = {name: outputs["__call__"] for name, outputs in kept["intermediates"].items() if name != "__call__"}
    np.testing.assert_allclose(seen["activations"]["again"], expected["again"][0], rtol=1e-6)
    np.testing.assert_allclose(seen["activations"]["again#2"], expected["again"][1], rtol=1e-6)
    np.testing.assert_allclose(seen["activations"]["head"], seen["outputs"]["output"], rtol=1e-6)
    used = [entry["name"].split("/")[0] for entry in worker.ask("describe")["parameters"]]
    assert list(dict.fromkeys(used)) == ["cell", "again", "head"]


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (plain, ["forward/dot_general", "forward/add", "forward/relu", "forward/dot_general#2", "forward/add#2"]),
        (in_nnx, ["first", "norm", "dropout", "last"]),
        (in_equinox, ["first", "norm", "dropout", "last"]),
    ],
)
def test_activations_have_names_by_which_one_finds_them(build, names):
    seen = InProcess(build, *DATA).ask("forward", x=X[:4], training=False)
    assert list(seen["activations"]) == names
    np.testing.assert_allclose(seen["activations"][names[-1]], seen["outputs"]["output"], rtol=1e-6)


def test_several_inputs_and_outputs_go_by_name():
    def apply(params, x):
        hidden = x["left"] @ params + x["right"]
        return {"b": hidden, "a": (hidden * 2, hidden + 1)}

    def total(outputs, y):
        return jnp.mean((outputs["b"] - y["b"]) ** 2)

    x = {"left": X[:, :4], "right": X[:, 4:]}
    worker = InProcess(
        lambda: Program(apply, jnp.ones((4, 2)), loss=total, optimizer=optax.sgd(0.1)), x, {"b": X[:, :2]}
    )
    seen = worker.ask("forward", x={name: rows[:4] for name, rows in x.items()}, training=True)["outputs"]
    hidden = x["left"][:4] @ np.ones((4, 2)) + x["right"][:4]
    for name, expected in {"output": hidden * 2, "output_1": hidden + 1, "output_2": hidden}.items():
        np.testing.assert_allclose(seen[name], expected, rtol=1e-5)
    worker.ask("train", batch_size=BATCH, steps=1)
    assert list(worker.ask("state")["parameters"]) == ["value"]


def test_the_gradients_of_a_step_are_those_that_its_optimizer_is_given():
    for build in (own_step, lambda **options: own_step(wrap=lambda step: step, jitted_within=True, **options)):
        worker = InProcess(lambda build=build: build(clip=0.01), *DATA)
        worker.ask("train", batch_size=BATCH, steps=2)
        params = worker.session.program.params
        expected = flat(
            jax.tree.map(lambda g: np.clip(g, -0.01, 0.01), jax.grad(objective)(params, X[:BATCH], Y[:BATCH]))
        )
        seen = worker.ask("gradients", x=X[:BATCH], y=Y[:BATCH])["gradients"]
        assert_near(seen, expected)
        assert max(np.abs(value).max() for value in seen.values()) == np.float32(0.01)


class Pair(NamedTuple):
    generator: Any
    critic: Any


def two_optimizers(skip_critic=False):
    """A step in which two optimizers take turns."""
    optimizers = {"last": optax.adam(0.01), "middle": optax.sgd(0.1, momentum=0.9)}

    @jax.jit
    def step(params, opt_state, x, y):
        opt_state = dict(opt_state)
        value, gradients = jax.value_and_grad(objective)(params, x, y)
        for name, optimizer in optimizers.items():
            if not (skip_critic and name == "middle"):
                updates, opt_state[name] = optimizer.update(gradients[name], opt_state[name], params[name])
                params = {**params, name: optax.apply_updates(params[name], updates)}
        return params, opt_state, value

    return Program(forward, weights(), optimizer=optimizers, step=step, **STATED)


def test_optimizers_that_take_turns_show_all_their_slots_and_gradients_and_lack_the_update():
    worker = InProcess(two_optimizers, *DATA)
    described = worker.ask("describe")
    assert list(described["lacks"]) == ["update"]
    assert {entry["name"] for entry in described["slots"]} == {
        f"{role}|{name}/{part}"
        for name, roles in {"last": ("first_moment", "second_moment"), "middle": ("momentum",)}.items()
        for role in roles
        for part in ("kernel", "bias")
    }
    seen = worker.ask("gradients", x=X[:BATCH], y=Y[:BATCH])["gradients"]
    assert_near(seen, flat(jax.grad(objective)(weights(), X[:BATCH], Y[:BATCH])))
    with pytest.raises(ProgramError, match="several optimizers: its update is not observed"):
        worker.ask("update", gradients=seen, x=X[:BATCH], y=Y[:BATCH])


def unwatched():
    """An optimizer whose update is no function of Python's own, in a step that shows twice the loss."""
    inner = optax.sgd(0.1)
    optimizer = optax.GradientTransformation(inner.init, partial(inner.update))

    def step(params, opt_state, x, y):
        value, gradients = jax.value_and_grad(objective)(params, x, y)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, 2 * value

    return Program(forward, weights(), optimizer=optimizer, step=jax.jit(step), **STATED)


@pytest.mark.parametrize("build", [lambda: without_optimizer(times=3), unwatched])
def test_a_step_whose_optimizer_cannot_be_watched_shows_the_loss_that_it_returns_and_no_gradients(build):
    worker = InProcess(build, *DATA)
    assert list(worker.ask("describe")["lacks"]) == ["gradients", "update"]
    before = worker.ask("state")
    seen = worker.ask("gradients", x=X[:BATCH], y=Y[:BATCH])
    assert_bit_equal(before, worker.ask("state"), "gradients")
    assert seen["gradients"] == {}
    assert seen["loss"] == np.float32(worker.ask("train", batch_size=BATCH, steps=1)["running_loss"][0])


def test_a_gradient_that_no_optimizer_is_given_is_zero():
    seen = InProcess(lambda: two_optimizers(skip_critic=True), *DATA).ask("gradients", x=X[:BATCH], y=Y[:BATCH])[
        "gradients"
    ]
    assert not seen["middle/kernel"].any()
    assert seen["last/kernel"].any()


# --- twins and mutants ---


TWINS = {
    "the rate before momentum or after": (
        lambda: plain(optax.sgd(0.1, momentum=0.9)),
        lambda: plain(optax.chain(optax.scale(-0.1), optax.trace(0.9))),
    ),
    "a step of its own": (plain, own_step),
    "statistics of a function and of linen": (by_hand_normalised, linen),
}


@pytest.mark.parametrize("name", TWINS)
def test_correct_twins_agree_in_every_stage(name):
    assert stage_apart(*TWINS[name], DATA, steps=(2,)) is None


MUTANTS = {
    "clipping in the step": (plain, lambda: own_step(clip=0.01), "gradients"),
    "momentum of the averages": (by_hand_normalised, lambda: by_hand_normalised(0.99), "buffers"),
    "epsilon of a layer": (layer_normalised, lambda: layer_normalised(epsilon=1e-2), "forward"),
    "Adam's beta": (plain, lambda: plain(optax.adam(0.01, b2=0.99)), "slots"),
    "staircase": (lambda: plain(optax.sgd(DECAY)), lambda: plain(optax.sgd(SCHEDULE)), "update"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_in_the_stage_that_it_alters(name):
    left, right, stage = MUTANTS[name]
    assert stage_apart(left, right, DATA, steps=(1 if name == "staircase" else 0,)) == stage


def test_a_whole_match_names_the_wrong_update_of_a_step_without_optimizer():
    result = compare(lambda: plain(optax.sgd(0.1)), lambda: without_optimizer(0.2), DATA, steps=2)
    assert first_difference(result) == ("update", "middle/kernel")


# --- layouts ---


def over_time(cell, wrap):
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(wrap(cell)(x)[:, -1])

    module = Net()
    return Program(module, module.init(jax.random.key(0), SEQUENCES[0][:2]), optimizer=optax.sgd(0.1), **STATED)


class NnxOverTime(nnx.Module):
    def __init__(self, cell):
        self.rnn = nnx.RNN(cell(4, 6, rngs=nnx.Rngs(1)))
        self.head = nnx.Linear(6, 3, rngs=nnx.Rngs(2))

    def __call__(self, x):
        carry = self.rnn.cell.initialize_carry((len(x), 4), nnx.Rngs(0))
        return self.head(self.rnn(x, initial_carry=carry)[:, -1])


class EquinoxOverTime(eqx.Module):
    cell: Any
    head: eqx.nn.Linear

    def __init__(self, cell):
        self.cell = cell(4, 6, key=jax.random.key(1))
        self.head = eqx.nn.Linear(6, 3, key=jax.random.key(2))

    def __call__(self, x):
        zeros = jnp.zeros(6)
        carry = (zeros, zeros) if isinstance(self.cell, eqx.nn.LSTMCell) else zeros
        carry = jax.lax.scan(lambda carry, x: (self.cell(x, carry), None), carry, x)[0]
        return self.head(carry[0] if isinstance(carry, tuple) else carry)


def with_nnx(module):
    return Program(module, optimizer=optax.sgd(0.1), **STATED)


def with_equinox(module):
    return Program(module, optimizer=optax.sgd(0.1), **STATED)


class LinenImages(nn.Module):
    """Convolutions up and down, and attention over what they leave; every kernel has axes of unequal sizes."""

    groups: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(6, (3, 2), feature_group_count=self.groups, padding="VALID")(x))
        x = nn.relu(nn.ConvTranspose(8, (2, 3), padding="VALID")(x))
        x = x.reshape(len(x), -1, 8)
        return nn.Dense(3)(nn.MultiHeadDotProductAttention(2)(x).mean(1))


class NnxImages(nnx.Module):
    def __init__(self, groups=1):
        rngs = nnx.Rngs(3)
        self.up = nnx.ConvTranspose(6, 8, (2, 3), padding="VALID", rngs=rngs)
        self.down = nnx.Conv(4, 6, (3, 2), feature_group_count=groups, padding="VALID", rngs=rngs)
        self.head = nnx.Linear(8, 3, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.up(nnx.relu(self.down(x))))
        return self.head(self.attention(x.reshape(len(x), -1, 8)).mean(1))


class EquinoxImages(eqx.Module):
    down: eqx.nn.Conv2d
    up: eqx.nn.ConvTranspose2d
    attention: eqx.nn.MultiheadAttention
    head: eqx.nn.Linear

    def __init__(self, groups=1):
        keys = jax.random.split(jax.random.key(3), 4)
        self.down = eqx.nn.Conv2d(4, 6, (3, 2), groups=groups, key=keys[0])
        self.up = eqx.nn.ConvTranspose2d(6, 8, (2, 3), key=keys[1])
        biases = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
        self.attention = eqx.nn.MultiheadAttention(2, 8, **biases, key=keys[2])
        self.head = eqx.nn.Linear(8, 3, key=keys[3])

    def __call__(self, x):
        x = jax.nn.relu(self.up(jax.nn.relu(self.down(jnp.moveaxis(x, -1, 0)))))
        x = jnp.moveaxis(x, 0, -1).reshape(-1, 8)
        return self.head(self.attention(x, x, x).mean(0))


def linen_images(**options):
    module = LinenImages(**options)
    return Program(module, module.init(jax.random.key(0), IMAGES[0][:2]), optimizer=optax.sgd(0.1), **STATED)


SAME_LAYERS = {
    "LSTM by gate and fused": (
        lambda: over_time(nn.OptimizedLSTMCell(6), nn.RNN),
        lambda: with_nnx(NnxOverTime(nnx.OptimizedLSTMCell)),
        SEQUENCES[0],
    ),
    "LSTM by gate and transposed": (
        lambda: with_nnx(NnxOverTime(nnx.LSTMCell)),
        lambda: with_equinox(EquinoxOverTime(eqx.nn.LSTMCell)),
        SEQUENCES[0],
    ),
    "GRU by gate and transposed": (
        lambda: over_time(nn.GRUCell(6), nn.RNN),
        lambda: with_equinox(EquinoxOverTime(eqx.nn.GRUCell)),
        SEQUENCES[0],
    ),
    "grouped convolutions and attention": (
        lambda: linen_images(groups=2),
        lambda: with_nnx(NnxImages(groups=2)),
        IMAGES[0],
    ),
    "convolutions, transposed, and fused attention": (
        linen_images,
        lambda: with_equinox(EquinoxImages()),
        IMAGES[0],
    ),
}


def outputs_with_the_same_weights(left, right, x):
    """Of both programs, the right one with the left one's weights, all of them drawn at random, biases too."""
    workers = [InProcess(build, x, np.zeros(len(x), np.int64)) for build in (left, right)]
    described = [worker.ask("describe") for worker in workers]
    pairs = [align(*(side[group] for side in described)) for group in ("parameters", "buffers")]
    draw = np.random.default_rng(4)
    drawn = {e["name"]: draw.normal(scale=0.5, size=e["shape"]).astype(np.float32) for e in described[0]["parameters"]}
    state = {**workers[0].ask("state"), "parameters": drawn}
    workers[0].ask("state", values=state)
    workers[1].ask("state", values=Sides(*workers, tuple(described), *pairs).to_right(state))
    return [worker.ask("forward", x=x[:4], training=False)["outputs"]["output"] for worker in workers]


@pytest.mark.parametrize("name", SAME_LAYERS)
def test_layers_of_different_layouts_are_one_function_with_the_same_weights(name):
    one, other = outputs_with_the_same_weights(*SAME_LAYERS[name])
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_a_wrong_layout_gives_another_function(monkeypatch):
    swapped = {
        name: layout.replace("i,f", "f,i") for name, layout in _jax_layers.LAYERS["nnx"]["OptimizedLSTMCell"].items()
    }
    monkeypatch.setitem(_jax_layers.LAYERS["nnx"], "OptimizedLSTMCell", swapped)
    one, other = outputs_with_the_same_weights(*SAME_LAYERS["LSTM by gate and fused"])
    assert np.abs(one - other).max() > 0.01


# --- mistakes ---


def test_what_makes_no_program_is_refused_with_what_was_expected():
    with pytest.raises(ProgramError, match="neither an optimizer nor a step"):
        Program(forward, weights(), loss=loss)
    with pytest.raises(ProgramError, match="how they take turns is for a step"):
        Program(forward, weights(), loss=loss, optimizer={"last": optax.sgd(0.1)})
    with pytest.raises(ProgramError, match=r"function and no parameters.\nIt takes apply\(params, x\)"):
        Program(forward, loss=loss, optimizer=optax.sgd(0.1))
    with pytest.raises(ProgramError, match=r"what module\.init returned"):
        Program(Linen(), {"kernel": X}, loss=loss, optimizer=optax.sgd(0.1))
    pair = {"generator": optax.sgd(0.1), "critic": optax.sgd(0.1)}
    with pytest.raises(ProgramError, match="optimizers are called generator, critic, and the parameters last, middle"):
        Program(forward, weights(), loss=loss, optimizer=pair, step=lambda *args: args)


def test_parameters_of_half_precision_are_refused_by_name():
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), weights())
    with pytest.raises(ProgramError, match="parameter last/bias is bfloat16"):
        InProcess(lambda: Program(forward, half, loss=loss, optimizer=optax.sgd(0.1)), *DATA)


def test_a_step_that_returns_something_else_is_refused_with_what_it_should_return():
    worker = InProcess(
        lambda: Program(forward, weights(), loss=loss, optimizer=optax.sgd(0.1), step=lambda p, s, x, y: (p, s)), *DATA
    )
    with pytest.raises(ProgramError, match=r"2 values.\nIt should return \(params, opt_state, loss\)"):
        worker.ask("train", batch_size=BATCH, steps=1)


def test_a_step_that_gives_its_optimizer_a_gradient_twice_or_never_is_refused():
    optimizer = optax.sgd(0.1)

    def twice(params, opt_state, x, y):
        for _ in range(2):
            value, gradients = jax.value_and_grad(objective)(params, x, y)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            params = optax.apply_updates(params, updates)
        return params, opt_state, value

    for step, found in ((twice, "more than once"), (lambda p, s, x, y: (p, s, 0.0), "no gradients")):
        worker = InProcess(
            lambda step=step: Program(forward, weights(), loss=loss, optimizer=optimizer, step=step), *DATA
        )
        with pytest.raises(ProgramError, match=found):
            worker.ask("gradients", x=X[:BATCH], y=Y[:BATCH])
