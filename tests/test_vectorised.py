"""Many seeds in one computation have the values of plain runs of these seeds, or the engine says why it cannot."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from samestep.data import load_split
from samestep.errors import NotVectorisable
from samestep.frameworks import _groups
from samestep.matching.sources import resolve
from samestep.repeating import sources, vectorised
from samestep.repeating.one_run import Task, one_run
from samestep.worker.parent import Worker

SEEDS = (3, 0, 2**31 + 5)
ROUNDING = {"rel": 2e-5, "abs": 1e-6}
"""Between the last values of trainings of a few steps that are the same apart from rounding."""

DENSE = """
import keras

def build():
    layers = keras.layers
    model = keras.Sequential([
        layers.Dense(16, "relu", kernel_initializer="he_normal"), layers.BatchNormalization(), layers.Dropout(0.4),
        layers.GaussianNoise(0.1), layers.Dense(8, "tanh", kernel_initializer="orthogonal"),
        layers.Dense(3, "softmax", kernel_regularizer="l2"),
    ])  # built by fit, not here
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
OPTIONS = """
import keras
import numpy as np
from samestep.frameworks.keras import Program

def build():
    inputs = keras.Input((6,))
    hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(7, "gelu", bias_initializer="random_normal")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / (1 + epoch))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2, momentum=0.9), loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
    options = {"shuffle": "batch", "callbacks": [rate], "sample_weight": lambda x, y: 1.0 + (y == 1)}
    return Program(model, fit=options)
"""
CONVOLUTIONAL = """
import keras

def prepare(x, y):
    return x.reshape(len(x), 3, 2, 1), y

def build():
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((3, 2, 1)), layers.Conv2D(4, 2, padding="same", activation="relu"), layers.BatchNormalization(),
        layers.Dropout(0.25), layers.Flatten(), layers.Dense(3, "softmax"),
    ])
    decayed = keras.optimizers.schedules.InverseTimeDecay(0.05, 1, 0.1)
    model.compile(keras.optimizers.SGD(decayed), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
FUNCTION = """
import jax
import jax.numpy as jnp
import optax
from samestep.frameworks.jax import Program

def build(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    params = {"a": jax.random.normal(keys[0], (6, 9)), "b": jax.nn.initializers.glorot_uniform()(keys[1], (9, 3))}
    rate = optax.cosine_decay_schedule(0.05, 10)
    return Program(forward, params, loss=loss, optimizer=optax.adamw(rate), metrics={"accuracy": accuracy}, rng=keys[2])

def forward(params, x, training, rng):
    hidden = jnp.tanh(x @ params["a"])
    if training:
        hidden = hidden * jax.random.bernoulli(rng, 0.7, hidden.shape) / 0.7
    return hidden @ params["b"]

def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

def accuracy(logits, labels):
    return (logits.argmax(axis=1) == labels).mean()
"""
FLAX = """
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from samestep.frameworks.jax import Program

class Net(nn.Module):
    @nn.compact
    def __call__(self, x, training=False):
        x = nn.relu(nn.BatchNorm(use_running_average=not training)(nn.Dense(9, use_bias=False)(x)))
        return nn.Dense(3)(nn.Dropout(0.3, deterministic=not training)(x))

def build(seed):
    variables = Net().init(jax.random.key(np.random.RandomState(seed).randint(99)), jnp.zeros((1, 6)))
    return Program(Net(), variables, loss=loss, optimizer=optax.adam(0.01), rng=jax.random.key(int(seed)))

def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
"""
"""A seed of its own for each initial state: its build is no function of JAX, so that each seed is built by itself.

Without a bias before the normalisation, whose gradient is rounding alone.
"""
TORCH = """
import torch
from torch import nn
from samestep.frameworks.torch import Program

def program(optimizer, scheduler=None):
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 3))
    model[0].bias.requires_grad_(False)
    optimizer = optimizer(model.parameters())
    scheduler = scheduler and scheduler(optimizer)
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, scheduler=scheduler,
                   metrics={"accuracy": lambda logits, labels: (logits.argmax(1) == labels).float().mean()})

def sgd():
    return program(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
                   lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10))

def adam():
    return program(lambda p: torch.optim.Adam(p, 0.02, amsgrad=True))

def adamw():
    return program(lambda p: torch.optim.AdamW(p, 0.02), lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5))

def rmsprop():
    return program(lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5, centered=True))
"""


@pytest.fixture(scope="module")
def rows():
    """Rows whose last batch is partial, both in training and held out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(65, 6)).astype(np.float32)
    y = (x[:, :3] + rng.normal(size=(65, 3))).argmax(axis=1)
    return load_split((x[:43], y[:43], x[43:], y[43:]))


@pytest.fixture
def tasks(program):
    """Makes the tasks of a program's text, or of an experiment, for some seeds."""

    def make(source, seeds=SEEDS, function=""):
        group = sources.groups(program(source) + function if "\n" in source else source)[0]
        return [Task(group, seed, 16, 3, None, 300.0) for seed in seeds]

    return make


def trained(tasks, rows, **options):
    """{seed: metrics} as the engine gives them, and what it tells."""
    told = []
    found = {task.seed: o.metrics for task, o in vectorised.outcomes(tasks, rows, told=told.append, **options)}
    assert list(found) == [task.seed for task in tasks]
    return found, told


def plainly(task, rows, backend="jax"):
    source = replace(task.group.source, environment=(("KERAS_BACKEND", backend),))
    outcome = one_run(replace(task, group=replace(task.group, source=source)), rows)
    assert not outcome.error
    return outcome.metrics


@pytest.mark.framework("keras-jax")
@pytest.mark.parametrize("source", [DENSE, OPTIONS, CONVOLUTIONAL], ids=["dense", "options", "convolutional"])
def test_keras_models_on_jax_have_the_values_of_plain_runs(source, tasks, rows):
    given = tasks(source)
    found, told = trained(given, rows)
    assert told[0].checked == SEEDS[1]
    assert "JAX backend, not on tensorflow" in told[0].note
    alone = plainly(given[-1], rows)
    assert found[given[-1].seed] == pytest.approx(alone, **ROUNDING)
    assert set(alone) >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len({values["loss"] for values in found.values()}) == len(SEEDS)


@pytest.mark.framework("jax")
@pytest.mark.parametrize("source", [FUNCTION, FLAX], ids=["function", "flax"])
def test_jax_programs_have_the_values_of_plain_runs(source, tasks, rows):
    given = tasks(source, (3, 0, 7))
    found, told = trained(given, rows)
    assert told[0].note == ""
    assert found[7] == pytest.approx(plainly(given[-1], rows), **ROUNDING)
    assert len({values["val_loss"] for values in found.values()}) == 3


@pytest.mark.framework("torch")
def test_torch_programs_have_the_values_of_plain_runs_with_each_optimizer_that_is_vectorised(tasks, rows):
    for function in (":sgd", ":adam", ":adamw", ":rmsprop"):
        given = tasks(TORCH, function=function)
        found, _ = trained(given, rows, check=function == ":sgd")
        assert found[SEEDS[-1]] == pytest.approx(plainly(given[-1], rows), **ROUNDING), function


@pytest.mark.framework("keras-jax")
def test_the_experiment_sequence_is_bit_equal_to_plain_runs(tasks):
    data = load_split("sequence")
    given = [replace(task, batch_size=9, epochs=20) for task in tasks("sequence:keras-jax", range(40))]
    found, told = trained(given, data)
    assert told[0].times_floor == 0.0
    assert found[39] == plainly(given[39], data)


@pytest.mark.framework("torch")
def test_seeds_are_trained_in_groups_whose_state_fits_into_the_cache(tasks, rows):
    given = tasks(TORCH.replace("nn.Linear(6, 9), nn.BatchNorm1d(9)", "nn.Linear(6, 10000), nn.BatchNorm1d(10000)").replace(
        "nn.Linear(9, 3)", "nn.Linear(10000, 3)"), range(7), ":adam")  # fmt: skip
    seen = []
    found, told = trained(given, rows, check=False, watch=lambda done, total: seen.append((done, total)))
    assert told[0].width == 3
    assert found[6] == pytest.approx(plainly(given[6], rows), **ROUNDING)
    assert seen == sorted(seen)
    assert seen[-1] == (7 * 9, 7 * 9)


def test_groups_are_even_and_fit_into_the_cache_and_into_half_of_the_free_memory():
    def width(seeds, state=1000, in_cache=True, free=2**40):
        return _groups.width(seeds, state=state, step=500, in_cache=in_cache, free=free)

    assert width(30) == 30
    assert width(30, state=_groups.CACHE // 6) == 6
    assert width(30, state=_groups.CACHE // 7) == 6  # five even groups, for which seven are not needed
    assert width(30, state=2 * _groups.CACHE) == 1
    assert width(30, state=_groups.CACHE, in_cache=False) == 30
    assert width(25, free=2 * 10 * 2500) == 9  # of ten at most, in three even groups
    assert width(25, free=0) == 1
    assert 2**20 < _groups.free_memory() < 2**60


REFUSED = [
    ("draws numbers from NumPy's random", """
        import keras
        import numpy as np
        def build():
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, bias_initializer="zeros")])
            model.set_weights([np.random.normal(size=(6, 3)), np.zeros(3)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return model
        """),
    ("draws numbers from Python's random", """
        import keras, random
        def build():
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
            model.compile(keras.optimizers.SGD(0.1 if random.random() < 0.5 else 0.1), "sparse_categorical_crossentropy")
            return model
        """),
    ("its step depends on the seed beside its initial state", """
        import keras
        def build(seed):
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dropout((1 + seed) / 10), keras.layers.Dense(3)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return model
        """),
    ("follows from the seed in another way", """
        import keras
        def build(seed):
            glorot = keras.initializers.GlorotUniform(seed=seed)
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, kernel_initializer=glorot)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return model
        """),
    ("callbacks other than LearningRateScheduler: EarlyStopping", """
        import keras
        from samestep.frameworks.keras import Program
        def build():
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return Program(model, fit={"callbacks": [keras.callbacks.EarlyStopping("loss")]})
        """),
    ("prepare() draws random numbers", """
        import keras, random
        def prepare(x, y):
            return x * random.random(), y
        def build():
            raise AssertionError
        """),
    ("a layer draws with a seed that it got when it was made", """
        import keras
        class Noise(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.seed = keras.src.backend.random.make_default_seed()
            def call(self, x):
                return x + keras.random.normal((6,), seed=self.seed)
        def build():
            model = keras.Sequential([keras.Input((6,)), Noise(), keras.layers.Dense(3)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return model
        """),
    ("its step depends on the seed beside its initial state", """
        import jax.numpy as jnp
        import optax
        from samestep.frameworks.jax import Program
        def build(seed):
            return Program(lambda params, x: x @ params["w"], {"w": jnp.zeros((6, 3))}, optimizer=optax.sgd(0.1),
                           loss=lambda out, y: (1 + int(seed)) * jnp.mean((out - y[:, None]) ** 2))
        """),
    ("function of a seed and no program", "def build(seed):\n    return 0.5\n"),
    ("a program of samestep_numpy trains one seed at a time", """
        from samestep_numpy import Program
        def build():
            return Program(6)
        """),
    ("it draws random numbers by aten.randn_like.default while it trains", """
        import torch
        from torch import nn, optim
        from samestep.frameworks.torch import Program
        class Noise(nn.Module):
            def forward(self, x):
                return x + 0.1 * torch.randn_like(x)
        def build():
            model = nn.Sequential(nn.Linear(6, 3), Noise())
            return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), 0.1))
        """),
    ("torch.vmap cannot make its step", """
        from torch import nn, optim
        from samestep.frameworks.torch import Program
        class Net(nn.Linear):
            def forward(self, x):
                y = super().forward(x)
                return y if y.sum() > 0 else -y
        def build():
            model = Net(6, 3)
            return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), 0.1))
        """),
    ("its optimizer is Adagrad", """
        from torch import nn, optim
        from samestep.frameworks.torch import Program
        def build():
            model = nn.Linear(6, 3)
            return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adagrad(model.parameters()))
        """),
]  # fmt: skip


@pytest.mark.framework("keras-jax")
@pytest.mark.framework("jax")
@pytest.mark.framework("torch")
def test_what_would_not_have_the_values_of_plain_runs_is_refused_with_the_reason(program, rows):
    parts = {"train": [rows.train.x, rows.train.y], "held": [rows.held.x, rows.held.y]}
    with Worker("refused", environment={"KERAS_BACKEND": "jax"}) as worker:
        for number, (reason, source) in enumerate(REFUSED):
            found = asdict(resolve(program(source, f"program_{number}.py")))
            with pytest.raises(NotVectorisable) as refusal:
                worker.ask("vectorise", source=found, seeds=[0, 1, 2], **parts, batch_size=16, epochs=1)
            assert reason in str(refusal.value)


@pytest.mark.framework("keras")
def test_a_keras_model_with_something_of_tensorflow_is_not_moved(tasks, rows):
    source = DENSE.replace("import keras\n", "import keras\nimport tensorflow as tf\n", 1)
    with pytest.raises(NotVectorisable, match="it uses TensorFlow beside Keras"):
        trained(tasks(source), rows, check=False)


def test_a_script_is_refused(program, rows):
    group = sources.groups(program("print('val_loss: 0.5')\n", "script.py"))[0]
    with pytest.raises(NotVectorisable, match="script"):
        trained([Task(group, 0, 16, 1, None, 60.0)], rows)


@pytest.mark.framework("torch")
def test_a_seed_that_is_not_as_its_plain_run_stops_the_engine_before_any_value(tasks, rows):
    source = """
        import torch
        from torch import nn
        from samestep.frameworks.torch import Program
        def build(seed):
            model, scale = nn.Linear(6, 3), 1 + 0.001 * seed
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            return Program(model, loss=lambda out, y: scale * nn.functional.cross_entropy(out, y), optimizer=optimizer)
        """
    with pytest.raises(NotVectorisable, match=r"would not be those of plain runs. On the same few rows seed 1 has"):
        trained(tasks(source, (0, 1, 2)), rows)


@pytest.mark.framework("torch")
def test_no_process_is_left_when_the_outcomes_are_no_longer_wanted(tasks, rows):
    begun = []
    finished = vectorised.outcomes(tasks(TORCH, function=":adam"), rows, started=begun.append)
    next(finished)
    finished.close()
    assert len(begun) == 2
    assert all(worker._process.poll() is not None for worker in begun)


def test_a_checked_seed_is_judged_by_its_siblings(tasks):
    task = tasks("from samestep_numpy import Program\ndef build():\n    return Program(6)\n", (4,))[0]
    siblings = [{"loss": 0.5 + 1e-6}, {"loss": 0.5 - 1e-6}]
    assert vectorised._compared(task, {"loss": 0.5}, siblings, {"loss": 0.5}) == 0.0
    assert vectorised._compared(task, {"loss": 0.5}, siblings, {"loss": 0.5 + 5e-6}) == pytest.approx(5, rel=1e-3)
    for alone in ({"loss": 0.5 + 2e-5}, {"loss": float("nan")}, {"loss": 0.5, "accuracy": 0.5}):
        with pytest.raises(NotVectorisable):
            vectorised._compared(task, {"loss": 0.5}, siblings, alone)
