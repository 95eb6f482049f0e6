"""TensorFlow 2 programs as people write them: correct twins agree, and each mutant is found in the stage that it alters."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.optimizers import SGD, Adam

from programs.in_process import InProcess, compare, first_difference, stage_apart
from samestep.errors import ProgramError
from samestep.frameworks.tensorflow import Program

pytestmark = pytest.mark.filterwarnings(
    "ignore:Gradients do not exist"
)  # Keras warns of an unused variable, as it should
v1 = tf.compat.v1.train
rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
DATA = (X, Y)
TOKENS = (
    np.concatenate([rng.permuted(np.tile(np.arange(first, first + 5), (16, 1)), axis=1) for first in (0, 5, 0)]),
    Y[:48],
)
"""Batches of 16 that look up words 0 to 4 and 5 to 9 by turns."""


def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def accuracy(logits, labels):
    return tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))


def weights():
    """Two kernels and two biases; kernels share a name, as variables made in a loop do."""
    draw = np.random.default_rng(1).normal
    kernels = [tf.Variable(draw(scale=0.4, size=shape).astype(np.float32), name="w") for shape in ((6, 8), (8, 3))]
    return [kernels[0], tf.Variable(tf.zeros(8), name="b"), kernels[1], tf.Variable(tf.zeros(3), name="b")]


def hidden_layer(v):
    return lambda x: tf.nn.relu(x @ v[0] + v[1]) @ v[2] + v[3]


def plain(optimizer=None, **options):
    v = weights()
    return Program(
        hidden_layer(v),
        variables=v,
        loss=loss,
        optimizer=optimizer or Adam(0.01),
        metrics={"accuracy": accuracy},
        **options,
    )


def compiled_forward():
    v = weights()
    forward = tf.function(hidden_layer(v))
    return Program(forward, variables=v, loss=loss, optimizer=Adam(0.01), metrics={"accuracy": accuracy})


def own_step(wrap=tf.function, clip=None, optimizer=None):
    v, optimizer = weights(), optimizer or Adam(0.01)
    forward = hidden_layer(v)

    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(forward(x), y)
        gradients = tape.gradient(value, v)
        if clip:
            gradients, _ = tf.clip_by_global_norm(gradients, clip)
        optimizer.apply_gradients(zip(gradients, v, strict=True))
        return value

    return Program(
        forward, variables=v, loss=loss, optimizer=optimizer, step=wrap(step), metrics={"accuracy": accuracy}
    )


def hidden_in_a_function(step):
    compiled = tf.function(step)
    return lambda x, y: compiled(x, y)


def without_optimizer(rate=0.1):
    v = weights()
    forward = hidden_layer(v)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(forward(x), y)
        for variable, gradient in zip(v, tape.gradient(value, v), strict=True):
            variable.assign_sub(rate * gradient)
        return value

    return Program(forward, variables=v, loss=loss, step=step)


def adversaries(rate=0.05, wrap=tf.function, optimizer=None):
    """Two halves of a network pull at its loss in turns; the step returns the sum of what either saw."""
    v = weights()
    forward = hidden_layer(v)

    def pulled(x, y, half, rate):
        with tf.GradientTape() as tape:
            value = loss(forward(x), y)
        gradients = tape.gradient(value, half)
        if optimizer:
            optimizer.apply_gradients(zip([10 * rate * gradient for gradient in gradients], half, strict=True))
        else:
            for variable, gradient in zip(half, gradients, strict=True):
                variable.assign_sub(rate * gradient)
        return value

    step = wrap(lambda x, y: pulled(x, y, v[:2], -0.1) + pulled(x, y, v[2:], rate))
    return Program(forward, variables=v, loss=loss, step=step, optimizer=optimizer)


class Normalised(tf.Module):
    """Batch normalisation by hand, in a module whose call is a tf.function."""

    def __init__(self, momentum):
        super().__init__()
        self.kernel, _, self.kernel_2, self.bias_2 = weights()
        self.gamma, self.beta = tf.Variable(tf.ones(8)), tf.Variable(tf.zeros(8))
        self.mean, self.variance = tf.Variable(tf.zeros(8), trainable=False), tf.Variable(tf.ones(8), trainable=False)
        self.momentum = momentum

    @tf.function
    def __call__(self, x, training=False):
        hidden = x @ self.kernel
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(hidden, [0])
            self.mean.assign(self.mean * self.momentum + mean * (1 - self.momentum))
            self.variance.assign(self.variance * self.momentum + variance * (1 - self.momentum))
        normal = tf.nn.batch_normalization(hidden, mean, variance, self.beta, self.gamma, 1e-3)
        return tf.nn.relu(normal) @ self.kernel_2 + self.bias_2

    @property
    def all_variables(self):
        return [self.kernel, self.gamma, self.beta, self.mean, self.variance, self.kernel_2, self.bias_2]


def normalised(momentum=0.9, with_own_step=False, **options):
    module, optimizer = Normalised(momentum), Adam(0.01)

    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(module(x, training=True), y)
        gradients = tape.gradient(value, module.trainable_variables)
        optimizer.apply_gradients(zip(gradients, module.trainable_variables, strict=True))
        return value

    return Program(
        module,
        variables=module.all_variables,
        loss=loss,
        optimizer=optimizer,
        metrics={"accuracy": accuracy},
        step=step if with_own_step else None,
        **options,
    )


def in_keras(optimizer=None, normalise=False):
    first = (
        [layers.Dense(8, use_bias=False), layers.BatchNormalization(momentum=0.9), layers.ReLU()]
        if normalise
        else [layers.Dense(8, activation="relu")]
    )
    model = keras.Sequential([keras.Input((6,)), *first, layers.Dense(3)])
    stated = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer or Adam(0.01), loss=stated, metrics=["accuracy"])
    return model


def words(optimizer, rows=True):
    draw = np.random.default_rng(1).normal
    table = tf.Variable(draw(size=(10, 4)).astype(np.float32))
    kernel, unused = tf.Variable(draw(size=(20, 3)).astype(np.float32)), tf.Variable(tf.ones(3))

    def forward(x):
        looked_up = tf.nn.embedding_lookup(table, x) if rows else tf.one_hot(x, 10) @ table
        return tf.reshape(looked_up, (-1, 20)) @ kernel

    return Program(forward, variables=[table, kernel, unused], loss=loss, optimizer=optimizer)


def with_global_step(staircase=False):
    count = tf.Variable(0, dtype=tf.int64, trainable=False)

    def rate():
        epochs = tf.cast(count, tf.float32) / 4
        return 0.1 * 0.9 ** (tf.floor(epochs) if staircase else epochs)

    return plain(v1.GradientDescentOptimizer(rate), counter=count)


TWINS = {
    "Keras": (plain, in_keras),
    "eager": (plain, lambda: plain(eager=True)),
    "forward is a tf.function": (plain, compiled_forward),
    "own step, compiled": (plain, own_step),
    "own step, eager": (plain, lambda: own_step(wrap=lambda step: step)),
    "own step hides its tf.function": (plain, lambda: own_step(hidden_in_a_function)),
    "batch normalisation by hand": (lambda: in_keras(normalise=True), normalised),
    "the same with a step of its own": (lambda: in_keras(normalise=True), lambda: normalised(with_own_step=True)),
    "the same run eagerly": (normalised, lambda: normalised(eager=True)),
    "v1 Adam and Keras's": (lambda: plain(v1.AdamOptimizer(0.01)), lambda: in_keras(Adam(0.01, epsilon=1e-8))),
    "v1 Momentum and Keras's": (lambda: plain(v1.MomentumOptimizer(0.1, 0.9)), lambda: in_keras(SGD(0.1, 0.9))),
    "Keras's momentum and v1's": (lambda: in_keras(SGD(0.1, 0.9)), lambda: plain(v1.MomentumOptimizer(0.1, 0.9))),
    "v1 GradientDescent": (lambda: plain(v1.GradientDescentOptimizer(0.1)), lambda: in_keras(SGD(0.1))),
    "rows or a product with one-hot": (lambda: words(SGD(0.1)), lambda: words(SGD(0.1), rows=False), TOKENS),
    "a global step of its own": (
        with_global_step,
        lambda: in_keras(SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.9))),
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_correct_twins_agree_in_every_stage(name):
    left, right, data = (*TWINS[name], DATA)[:3]
    assert stage_apart(left, right, data) is None


MUTANTS = {
    "clipping in the step": (plain, lambda: own_step(clip=0.1), DATA, "gradients"),
    "momentum of the moving averages": (normalised, lambda: normalised(0.99), DATA, "buffers"),
    "the same in a step of its own": (normalised, lambda: normalised(0.99, with_own_step=True), DATA, "buffers"),
    "Adam's beta": (lambda: plain(v1.AdamOptimizer()), lambda: plain(v1.AdamOptimizer(beta2=0.99)), DATA, "slots"),
    "momentum": (lambda: plain(v1.MomentumOptimizer(0.1, 0.9)), lambda: in_keras(SGD(0.1, 0.8)), DATA, "update"),
    "momentum of rows not looked up": (
        lambda: words(v1.MomentumOptimizer(0.1, 0.9)),
        lambda: words(v1.MomentumOptimizer(0.1, 0.9), rows=False),
        TOKENS,
        "update",
    ),
    "words looked up twice, whose squares Keras's Adam adds": (
        lambda: words(Adam(0.01)),
        lambda: words(Adam(0.01), rows=False),
        TOKENS,
        "step",
    ),
    "staircase": (with_global_step, lambda: with_global_step(staircase=True), DATA, "update"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_in_the_stage_that_it_alters(name):
    left, right, data, stage = MUTANTS[name]
    assert stage_apart(left, right, data, steps=(0, 1, 3)) == stage


def test_adam_takes_words_looked_up_once_as_rows_as_it_takes_them_dense():
    once = (np.arange(10).reshape(2, 5), Y[:2])
    assert (
        stage_apart(lambda: words(Adam(0.01)), lambda: words(Adam(0.01), rows=False), once, batch_size=2, steps=(0,))
        is None
    )


def test_a_whole_match_names_the_wrong_update_of_a_step_without_optimizer():
    result = compare(lambda: plain(SGD(0.1)), lambda: without_optimizer(0.2), DATA, steps=2)
    assert first_difference(result) == ("update", "w")


def test_a_step_without_optimizer_shows_the_loss_that_it_returns_and_lacks_gradients_and_update():
    worker = InProcess(adversaries, *DATA)
    assert list(worker.ask("describe")["lacks"]) == ["gradients", "update"]
    before = worker.ask("state")
    seen = worker.ask("gradients", x=X[:16], y=Y[:16])
    assert_bit_equal(before, worker.ask("state"), "gradients")
    assert seen["gradients"] == {}
    assert seen["loss"] == np.float32(worker.ask("train", batch_size=16, steps=1)["running_loss"][0])


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.1), lambda: v1.GradientDescentOptimizer(0.1)])
def test_a_step_that_updates_in_two_calls_is_observed_as_it_goes_on_from_the_first(optimizer):
    worker = InProcess(lambda: adversaries(optimizer=optimizer()), *DATA)
    before = worker.ask("state")
    seen = worker.ask("gradients", x=X[:16], y=Y[:16])
    assert_bit_equal(before, worker.ask("state"), "gradients")
    ran = worker.ask("train", batch_size=16, steps=1)["running_loss"][0]
    np.testing.assert_allclose(seen["loss"], ran, rtol=1e-6)
    after = worker.ask("state")["parameters"]
    for name, gradient in seen["gradients"].items():
        np.testing.assert_allclose(before["parameters"][name] - after[name], 0.1 * gradient, rtol=1e-4, atol=1e-7)


def test_adversaries_in_a_step_without_optimizer_are_the_same_unless_one_learns_at_another_rate():
    eager = compare(adversaries, lambda: adversaries(wrap=lambda step: step), DATA, steps=2)
    assert eager.verdict in ("identical", "rounding"), eager.first_difference
    wrong = compare(adversaries, lambda: adversaries(0.06), DATA, steps=2)
    assert first_difference(wrong) == ("update", "w#2"), wrong.first_difference


def test_a_step_observed_before_it_ever_trained_still_trains():
    """A tf.function traced while the optimizer only takes notes would never update anything."""
    for wrap in (tf.function, hidden_in_a_function):
        worker = InProcess(lambda wrap=wrap: own_step(wrap), *DATA)
        worker.ask("gradients", x=X[:16], y=Y[:16])
        before = worker.ask("state")["parameters"]["w"]
        worker.ask("train", batch_size=16, steps=1)
        assert np.any(worker.ask("state")["parameters"]["w"] != before)


def test_metrics_beside_an_own_step_do_not_move_the_averages_a_second_time():
    averages = []
    for with_own_step in (False, True):
        worker = InProcess(lambda own=with_own_step: normalised(with_own_step=own), *DATA)
        worker.ask("train", batch_size=16, steps=2)
        averages.append(list(worker.ask("state")["buffers"].values()))
    np.testing.assert_allclose(averages[0], averages[1], rtol=1e-5)


def test_observing_leaves_every_variable_its_bits_and_the_next_training_its_result():
    requests = [
        ("forward", {"x": X[:16], "training": True}),
        ("gradients", {"x": X[:16], "y": Y[:16]}),
        ("step", {"x": X[:16], "y": Y[:16]}),
        ("evaluate", {"rows": 40, "batch_size": 16}),
        ("batches", {"batch_size": 16, "epochs": 2}),
        ("rates", {"steps": [0, 5, 50]}),
    ]
    ends = []
    for asked in ([], requests):
        worker = InProcess(normalised, *DATA)
        worker.ask("train", batch_size=16, steps=2)
        before = worker.ask("state")
        for do, arguments in asked:
            worker.ask(do, **arguments)
            assert_bit_equal(before, worker.ask("state"), do)
        worker.ask("train", batch_size=16, steps=3)
        ends.append(worker.ask("state"))
    assert_bit_equal(*ends, "training")


def assert_bit_equal(one, other, after):
    for group, entries in one.items():
        for (name, value), twin in zip(entries.items(), other[group].values(), strict=True):
            assert value.tobytes() == twin.tobytes(), f"{group} {name} changed by {after}"


def test_a_step_that_gives_only_some_gradients_is_refused_with_their_number():
    def build():
        v, optimizer = weights(), SGD(0.1)
        forward = hidden_layer(v)

        def step(x, y):
            with tf.GradientTape() as tape:
                value = loss(forward(x), y)
            optimizer.apply_gradients(zip(tape.gradient(value, v[:2]), v[:2], strict=True))
            return value

        return Program(forward, variables=v, loss=loss, optimizer=optimizer, step=step)

    with pytest.raises(ProgramError, match="2 gradients, and the program has 4 trainable variables"):
        InProcess(build, *DATA).ask("gradients", x=X[:16], y=Y[:16])


def test_a_program_that_nothing_trains_is_refused():
    with pytest.raises(ProgramError, match="neither an optimizer nor a step"):
        Program(tf.identity, variables=[], loss=loss)
