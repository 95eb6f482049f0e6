"""What holds of Keras programs on every backend: run as a script, which prints {check: what failed, or null} as JSON.

A process has one backend, by KERAS_BACKEND; each check is a function that raises.
"""

import json
import random
import re
import sys
import traceback
import warnings

import keras
import numpy as np
import pytest
from keras import callbacks, layers

from programs.in_process import InProcess, stage_apart
from samestep.errors import ProgramError
from samestep.frameworks import keras as adapter
from samestep.frameworks.keras import Program

BACKEND = keras.backend.backend()
rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
WEIGHTS = {0: 1.0, 1: 2.0, 2: 0.5}
CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def compiled(model, optimizer=None, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **options):
    chosen = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer=chosen, loss=loss, metrics=list(metrics) or None, **options)
    return model


def dense(*between, optimizer=None, kind=keras.Sequential, activation="softmax", **options):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    hidden = layers.Dense(8, activation="relu")(inputs)
    for layer in between:
        hidden = layer(hidden)
    kind = keras.Model if kind is keras.Sequential else kind
    return compiled(kind(inputs, layers.Dense(3, activation=activation)(hidden)), optimizer, **options)


def noisy(**options):
    """Moving averages, and masks of random numbers."""
    keras.utils.set_random_seed(1)
    return dense(layers.BatchNormalization(), layers.Dropout(0.5), **options)


def loaded(built, x=X):
    return adapter.load(built, {n: a[:2] for n, a in x.items()} if isinstance(x, dict) else x[:2])


def trained(program, x=X, y=Y, batch_size=16, epochs=1, steps=None):
    return adapter.train(program, x, y, batch_size, epochs, steps, lambda done, total: None)


def same(one, other):
    """Whether all that one state holds has the same bits in the other, which may hold what was built since."""
    return all(value.tobytes() == other[group][name].tobytes() for group in one for name, value in one[group].items())


def same_in_order(one, other):
    """Whether the states of two programs, whose names may differ, have the same bits."""
    pairs = [pair for group in one for pair in zip(one[group].values(), other[group].values(), strict=True)]
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


def weights(model):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in (*model.weights, *model.optimizer.variables)]


def assert_same_weights(plain, watched):
    for number, (one, other) in enumerate(zip(weights(plain), weights(watched), strict=True)):
        assert one.tobytes() == other.tobytes(), f"variable {number}: {one} {other}"


@check
def training_is_fit_bit_for_bit():
    """With dropout, moving averages, shuffling, a partial last batch, a schedule by epoch, validation, observed before."""
    halving = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
    fit = {"shuffle": True, "callbacks": [halving], "validation_data": (X[:8], Y[:8])}
    plain = noisy()
    history = plain.fit(X, Y, batch_size=16, epochs=2, verbose=0, **fit).history
    program = loaded(Program(noisy(), fit=fit))
    before = adapter.state(program)
    adapter.gradients(program, X[:16], Y[:16])
    adapter.forward(program, X[:16], True)
    adapter.batches(program, X, Y, 16, 1, lambda epoch, x, y: None)
    adapter.state(program, before)
    seen = trained(program, epochs=2)
    assert_same_weights(plain, program.model)
    assert len(seen["running_loss"]) == 8
    assert [entry["loss"] for entry in seen["epochs"]] == history["loss"]
    assert seen["running_loss"][[3, 7]].tolist() == history["loss"]
    adapter.state(program, before)
    program.model.optimizer.beta_1 = 0.8
    trained(program, epochs=2)
    assert any(a.tobytes() != b.tobytes() for a, b in zip(weights(plain), weights(program.model), strict=True))


@check
def training_eagerly_is_fit_bit_for_bit():
    plain = noisy(run_eagerly=True)
    plain.fit(X[:32], Y[:32], batch_size=16, verbose=0, shuffle=False)
    program = loaded(noisy(run_eagerly=True))
    before = adapter.state(program)
    adapter.gradients(program, X[:16], Y[:16])
    adapter.state(program, before)
    trained(program, X[:32], Y[:32])
    assert_same_weights(plain, program.model)


def by_hand(model, x, y, weights=1.0):
    """Loss and gradients of dense() in float64: d loss / d logits is softmax minus one-hot, over the number of rows."""
    kernel, bias, last, last_bias = (np.array(v.numpy(), np.float64) for v in model.trainable_variables)
    hidden = np.maximum(x @ kernel + bias, 0)
    logits = hidden @ last + last_bias
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    per_row = np.broadcast_to(weights, len(x)) / len(x)
    slope = (softmax - np.eye(3)[y]) * per_row[:, None]
    below = (slope @ last.T) * (hidden > 0)
    loss = -(per_row * np.log(softmax[np.arange(len(x)), y])).sum()
    return loss, [x.T @ below, below.sum(0), hidden.T @ slope, slope.sum(0)]


def assert_by_hand(program, weights=1.0):
    seen = adapter.gradients(program, X[:16], Y[:16])
    loss, gradients = by_hand(program.model, X[:16].astype(np.float64), Y[:16], weights)
    np.testing.assert_allclose(seen["loss"], loss, rtol=1e-6)
    for one, other in zip(seen["gradients"].values(), gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)
    return seen


@check
def gradients_and_loss_are_those_computed_by_hand():
    seen = assert_by_hand(loaded(dense()))
    assert {g.dtype for g in seen["gradients"].values()} == {np.dtype(np.float32)}
    assert list(seen["metrics"]) == ["accuracy"]


@check
def weights_of_rows_and_classes_enter_loss_and_gradients():
    rows, ends = np.array([WEIGHTS[int(label)] for label in Y]), []
    for fit in ({"class_weight": WEIGHTS}, {"sample_weight": lambda x, y: np.array([WEIGHTS[int(n)] for n in y])}):
        program = loaded(Program(dense(), fit=fit))
        assert_by_hand(program, rows[:16])
        trained(program)
        ends.append(program.model)
    plain = dense()
    plain.fit(X, Y, batch_size=16, verbose=0, shuffle=False, class_weight=WEIGHTS)
    for watched in ends:
        assert_same_weights(plain, watched)


@check
def an_update_is_what_the_optimizer_does_with_these_gradients():
    program = loaded(dense(optimizer=keras.optimizers.Adam(0.01, clipnorm=0.1, weight_decay=0.1)))
    start = adapter.state(program)
    given = {name: np.full(v.shape, 0.5, np.float32) for name, v in start["parameters"].items()}
    adapter.update(program, given, X[:16], Y[:16])
    updated = adapter.state(program)
    adapter.state(program, start)
    program.model.optimizer.apply([keras.ops.convert_to_tensor(g) for g in given.values()])
    applied = adapter.state(program)
    assert updated["counters"]["step"] == 1
    for group in ("parameters", "slots"):
        for name, value in updated[group].items():
            np.testing.assert_allclose(value, applied[group][name], rtol=1e-6, atol=1e-8)
            assert value.tobytes() != start[group][name].tobytes()


@check
def a_step_is_its_gradients_and_their_update():
    program = loaded(dense(layers.BatchNormalization()))
    trained(program, steps=2)
    start = adapter.state(program)
    given = adapter.gradients(program, X[:16], Y[:16])["gradients"]
    adapter.state(program, start)
    adapter.update(program, given, X[:16], Y[:16])
    updated = adapter.state(program)
    adapter.state(program, start)
    trained(program, X[:16], Y[:16], steps=1)
    stepped = adapter.state(program)
    for group in ("parameters", "slots"):
        for name, value in updated[group].items():
            np.testing.assert_allclose(value, stepped[group][name], rtol=1e-4, atol=1e-7)
    assert not same({"buffers": start["buffers"]}, {"buffers": stepped["buffers"]})


@check
def a_state_holds_all_that_training_depends_on_and_shares_no_memory():
    program = loaded(Program(noisy(), fit={"shuffle": True}))
    trained(program, steps=3)
    start = adapter.state(program)
    kept = {group: {name: value.copy() for name, value in entries.items()} for group, entries in start.items()}
    ends = []
    for _ in range(2):
        read = adapter.state(program, start)
        assert same(read, kept)
        trained(program, steps=5)
        assert same(start, kept), "training wrote into a state that was read"
        ends.append(adapter.state(program))
    assert same(*ends)
    assert not same(start, ends[0])
    written = {group: {name: value.copy() for name, value in entries.items()} for group, entries in kept.items()}
    adapter.state(program, written)
    for entries in written.values():
        for value in entries.values():
            value[...] = 7
    assert same(adapter.state(program), kept), "a state that was written shares its memory"


REQUESTS = {
    "forward": {"x": X[:16], "training": True},
    "gradients": {"x": X[:16], "y": Y[:16]},
    "step": {"x": X[:16], "y": Y[:16]},
    "evaluate": {"rows": 40, "batch_size": 16},
    "batches": {"batch_size": 16, "epochs": 2},
    "rates": {"steps": [0, 5, 50]},
}


@check
def observing_leaves_every_bit_and_the_next_training_as_they_were():
    ends = []
    for asked in ({}, REQUESTS):
        worker = InProcess(lambda: Program(noisy(), fit={"shuffle": BACKEND != "tensorflow"}), X, Y)
        worker.ask("train", batch_size=16, steps=2)
        before = worker.ask("state")
        for do, arguments in asked.items():
            worker.ask(do, **arguments)
            assert same(before, worker.ask("state")), do
        if asked:
            given = worker.ask("gradients", x=X[:16], y=Y[:16])["gradients"]
            worker.ask("update", gradients=given, x=X[:16], y=Y[:16])
            assert same(before, worker.ask("state")), "update"
        worker.ask("train", batch_size=16, steps=6)
        ends.append(worker.ask("state"))
    assert same_in_order(*ends)


@check
def settings_moved_by_one_ulp_take_effect_at_once_and_can_be_moved_back():
    program = loaded(dense())
    start = adapter.state(program)

    def after():
        given = {name: np.full(v.shape, 0.3, np.float32) for name, v in start["parameters"].items()}
        results = []
        for act in (lambda: adapter.update(program, given, X, Y), lambda: trained(program, X[:16], Y[:16], steps=1)):
            adapter.state(program, {group: start[group] for group in ("parameters", "slots", "counters")})
            act()
            results.append(adapter.state(program))
        return results

    settings = {name: entry["value"] for name, entry in adapter.settings(program).items()}
    assert (
        settings.items()
        >= {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "learning_rate": float(np.float32(0.01))}.items()
    )
    plain = after()
    for name in ("beta_1", "beta_2"):
        adapter.settings(program, {name: float(np.nextafter(np.float32(settings[name]), np.float32(0)))})
        for one, other in zip(plain, after(), strict=True):
            assert not same({"slots": one["slots"]}, {"slots": other["slots"]}), name
        adapter.settings(program, {name: settings[name]})
    adapter.settings(program, {"learning_rate": 0.02})
    for one, other in zip(plain, after(), strict=True):
        assert not same({"parameters": one["parameters"]}, {"parameters": other["parameters"]})
    adapter.settings(program, {"learning_rate": settings["learning_rate"]})
    for one, other in zip(plain, after(), strict=True):
        assert same({group: one[group] for group in ("parameters", "slots")}, other)


@check
def the_learning_rate_follows_the_step():
    worker = InProcess(
        lambda: dense(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5))), X, Y
    )
    np.testing.assert_allclose(worker.ask("rates", steps=[0, 4, 8]), [0.1, 0.05, 0.025], rtol=1e-6)
    state = worker.ask("state")
    moves = []
    for step in (0, 4):
        worker.ask("state", values=dict(state, counters={"step": np.array(step, state["counters"]["step"].dtype)}))
        before = worker.ask("state")
        given = {name: np.ones_like(value) for name, value in state["parameters"].items()}
        after = worker.ask("update", gradients=given, x=X[:16], y=Y[:16])
        moves.append([after["parameters"][name] - value for name, value in before["parameters"].items()])
    for first, later in zip(*moves, strict=True):
        np.testing.assert_allclose(first, 2 * later, rtol=1e-4)


@check
def forward_shows_each_layer_in_the_order_of_execution_in_both_modes():
    program = loaded(noisy())
    names = [layer.name for layer in program.model.layers[1:]]
    start = adapter.state(program)
    seen = {}
    for training in (True, False):
        seen[training] = adapter.forward(program, X[:16], training)
        adapter.state(program, start)
        assert list(seen[training]["activations"]) == names
    np.testing.assert_allclose(seen[False]["outputs"]["output"], program.model.predict(X[:16], verbose=0), rtol=1e-5)
    assert np.any(seen[True]["activations"][names[2]] == 0)
    adapter.state(program, start)
    again = adapter.forward(program, X[:16], True)["outputs"]["output"]
    assert again.tobytes() == seen[True]["outputs"]["output"].tobytes()


@check
def evaluation_is_the_models_own():
    program = loaded(dense())
    found = adapter.evaluate(program, X, Y, 16)
    plain = dense().evaluate(X, Y, batch_size=16, verbose=0, return_dict=True)
    assert found == plain


@check
def the_batches_are_those_that_fit_feeds():
    program = loaded(Program(dense(layers.BatchNormalization()), fit={"shuffle": True}))
    seen, fed = [], []
    before = adapter.state(program)
    adapter.batches(program, X, Y, 16, 2, lambda epoch, x, y: seen.append((epoch, x, y)))
    assert same(before, adapter.state(program))
    own = program.model.train_step

    def spy(*arguments):
        fed.append([np.array(keras.ops.convert_to_numpy(a)) for a in arguments[-1]])
        return own(*arguments)

    program.model.run_eagerly, program.model.train_step = True, spy
    program.compiled.clear()
    trained(program, epochs=2)
    assert [epoch for epoch, _, _ in seen] == [0, 0, 0, 0, 1, 1, 1, 1]
    for (_, x, y), (fed_x, fed_y) in zip(seen, fed, strict=True):
        np.testing.assert_array_equal(x, fed_x)
        np.testing.assert_array_equal(y, fed_y)
    assert not np.array_equal(seen[0][1], X[:16]), "they are shuffled"


def two_heads(by_name=False, **options):
    keras.utils.set_random_seed(2)
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    hidden = layers.Dense(5, activation="tanh", name="hidden")(layers.Concatenate(name="both")([left, right]))
    heads = [layers.Dense(3, activation="softmax", name="kind")(hidden), layers.Dense(1, name="size")(hidden)]
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    outputs = {"kind": heads[0], "size": heads[1]} if by_name else heads
    model = keras.Model([left, right], outputs)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=losses, metrics={"kind": ["accuracy"]}, **options)
    return model


TWO_X = {"left": X, "right": rng.normal(size=(56, 4)).astype(np.float32)}
TWO_Y = {"kind": Y, "size": X[:, 2:3]}


@check
def several_inputs_and_outputs_are_dicts_by_name():
    plain = two_heads()
    history = plain.fit(TWO_X, TWO_Y, batch_size=16, epochs=1, shuffle=False, verbose=0).history
    worker = InProcess(two_heads, TWO_X, TWO_Y)
    part = {"x": {n: a[:16] for n, a in TWO_X.items()}, "y": {n: a[:16] for n, a in TWO_Y.items()}}
    seen = worker.ask("gradients", **part)
    assert set(seen["metrics"]) == {"kind_accuracy", "kind_loss", "size_loss"}, list(seen["metrics"])
    np.testing.assert_allclose(seen["loss"], seen["metrics"]["kind_loss"] + seen["metrics"]["size_loss"], rtol=1e-6)
    outputs = worker.ask("forward", x=part["x"], training=False)["outputs"]
    assert {name: value.shape for name, value in outputs.items()} == {"output": (16, 3), "output_1": (16, 1)}
    shown = worker.ask("batches", batch_size=16, epochs=1)["batches"]
    assert [set(names) for _, _, names in shown] == [{"x_left", "x_right", "y_kind", "y_size"}] * 4
    trained = worker.ask("train", batch_size=16)
    assert trained["epochs"][0]["loss"] == history["loss"][0]
    assert_same_weights(plain, worker.session.program.model)
    evaluated = worker.ask("evaluate", rows=56, batch_size=16)
    assert evaluated == plain.evaluate(TWO_X, TWO_Y, batch_size=16, verbose=0, return_dict=True)


@check
def weights_of_rows_hold_for_every_output():
    halves = {"sample_weight": lambda x, y: np.full(len(y["kind"]), 0.5)}
    named, listed = (Program(two_heads(by_name), fit=halves) for by_name in (True, False))
    seen = [adapter.gradients(loaded(built, TWO_X), TWO_X, TWO_Y) for built in (two_heads(True), named)]
    np.testing.assert_allclose(seen[1]["loss"], 0.5 * seen[0]["loss"], rtol=1e-6)
    refused("of a model whose outputs are a dict", lambda: trained(loaded(listed, TWO_X), TWO_X, TWO_Y))


@check
def rows_by_other_names_than_the_models_are_refused():
    refused("has the inputs left, right, and x has left, wrong", lambda: loaded(two_heads(), {"left": X, "wrong": X}))
    refused("and x is one array", lambda: loaded(two_heads(), X))
    program = loaded(two_heads(), TWO_X)
    refused("has the outputs kind, size, and y is one array", lambda: adapter.gradients(program, TWO_X, Y))
    refused("and y has kind, wrong", lambda: trained(program, TWO_X, {"kind": Y, "wrong": Y}))


def refused(message, act):
    with pytest.raises(ProgramError, match=re.escape(message)):
        act()


class Withholding(keras.Model):
    def train_step(self, *arguments):
        return ({"loss": 0.0}, arguments[0]) if BACKEND == "jax" else {"loss": 0.0}


@check
def a_train_step_that_withholds_gradients_is_refused():
    refused(
        "gave its optimizer 0 gradients", lambda: adapter.gradients(loaded(dense(kind=Withholding)), X[:16], Y[:16])
    )


def own_step():
    """The train_step of the backend's trainer, as its guide has it for authors to change; gradients are doubled."""
    if BACKEND == "jax":
        import jax

        class Own(keras.Model):
            def train_step(self, state, data):
                parameters, others, held, metrics = state
                x, y = data

                def loss_of(parameters):
                    predicted, new = self.stateless_call(parameters, others, x, training=True)
                    return 2 * self.compute_loss(x, y, predicted), new

                (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
                parameters, held = self.optimizer.stateless_apply(held, gradients, parameters)
                return {"loss": loss}, (parameters, others, held, metrics)

        return Own
    if BACKEND == "tensorflow":
        import tensorflow as tf

        class Own(keras.Model):
            def train_step(self, data):
                x, y = data
                with tf.GradientTape() as tape:
                    loss = 2 * self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
                self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
                return {"loss": loss}

        return Own
    import torch

    class Own(keras.Model):
        def train_step(self, data):
            x, y = data
            self.zero_grad()
            loss = 2 * self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in self.trainable_weights], self.trainable_weights)
            return {"loss": loss}

    return Own


@check
def a_train_step_of_the_authors_own_is_observed_and_trained_as_it_is():
    kind = own_step()
    seen = [adapter.gradients(loaded(dense(kind=k, metrics=())), X[:16], Y[:16]) for k in (keras.Model, kind)]
    np.testing.assert_allclose(seen[1]["loss"], 2 * seen[0]["loss"], rtol=1e-6)
    for one, other in zip(*(entry["gradients"].values() for entry in seen), strict=True):
        np.testing.assert_allclose(other, 2 * one, rtol=1e-5, atol=1e-8)
    plain, program = dense(kind=kind, metrics=()), loaded(dense(kind=kind, metrics=()))
    plain.fit(X, Y, batch_size=16, verbose=0, shuffle=False)
    trained(program)
    assert_same_weights(plain, program.model)


class Unused(keras.Model):
    """Made in another order than called, with a layer that the loss does not depend on, and not built before data."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(3, activation="softmax", name="last")
        self.unused = layers.Dense(2, name="unused")
        self.first = layers.Dense(8, name="first")

    def call(self, x):
        hidden = self.first(x)
        self.unused(x)
        return self.last(hidden)


@check
def missing_gradients_are_zeros_and_parameters_come_in_the_order_of_use():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of an unused layer, as it should
        program = loaded(compiled(Unused()))
        entries = adapter.describe(program)["parameters"]
        assert [entry["layer"].rpartition("/")[2] for entry in entries] == ["first"] * 2 + ["unused"] * 2 + ["last"] * 2
        given = adapter.gradients(program, X[:16], Y[:16])["gradients"]
        unused = [entry["name"] for entry in entries if entry["layer"].endswith("/unused")]
        assert len(unused) == 2
        assert all(np.any(gradient) == (name not in unused) for name, gradient in given.items())
        before = adapter.state(program)
        adapter.update(program, given, X[:16], Y[:16])
        after = adapter.state(program)
        for name, value in before["parameters"].items():
            same_bits = value.tobytes() == after["parameters"][name].tobytes()
            assert same_bits == (name in unused), name


@check
def correct_twins_agree_in_every_stage_and_mutants_are_found_in_theirs():
    assert stage_apart(noisy, noisy, (X, Y), steps=(0, 2)) is None
    for stage, mutant in MUTANTS.items():
        assert stage_apart(noisy, mutant, (X, Y), steps=(2,)) == stage


def noisy_but(momentum=0.99, **options):
    keras.utils.set_random_seed(1)
    return dense(layers.BatchNormalization(momentum=momentum), layers.Dropout(0.5), **options)


MUTANTS = {
    "forward": lambda: noisy_but(activation="sigmoid"),
    "update": lambda: noisy_but(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-3)),
    "buffers": lambda: noisy_but(momentum=0.9),
}


def torch_twins():
    """{name: (layer of Keras, module of PyTorch, shape of a row, whether channels are last in Keras and first in PyTorch)}"""
    from torch import nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    class First(nn.Module):
        def __init__(self, recurrent):
            super().__init__()
            self.recurrent = recurrent

        def forward(self, x):
            return self.recurrent(x)[0]

    tokens, image = keras.Input((4, 6)), (7, 6, 4)
    attended = layers.MultiHeadAttention(2, 3)(tokens, tokens)
    separable = nn.Sequential(nn.Conv2d(4, 8, (3, 2), groups=4, bias=False), nn.Conv2d(8, 5, 1))
    gru = layers.GRU(3, return_sequences=True)
    lstm = layers.LSTM(3, return_sequences=True, use_bias=False)
    return {
        "Dense": (layers.Dense(3), nn.Linear(6, 3), (6,), False),
        "EinsumDense": (layers.EinsumDense("abc,cd->abd", (4, 3), bias_axes="d"), nn.Linear(6, 3), (4, 6), False),
        "Conv1D": (layers.Conv1D(5, 3), nn.Conv1d(4, 5, 3), (7, 4), True),
        "Conv2D in groups": (layers.Conv2D(8, (3, 2), groups=2), nn.Conv2d(4, 8, (3, 2), groups=2), image, True),
        "Conv3D": (layers.Conv3D(2, (1, 2, 3)), nn.Conv3d(3, 2, (1, 2, 3)), (4, 4, 4, 3), True),
        "DepthwiseConv1D": (layers.DepthwiseConv1D(3, depth_multiplier=2), nn.Conv1d(4, 8, 3, groups=4), (7, 4), True),
        "DepthwiseConv2D": (
            layers.DepthwiseConv2D((3, 2), depth_multiplier=2),
            nn.Conv2d(4, 8, (3, 2), groups=4),
            image,
            True,
        ),
        "SeparableConv2D": (layers.SeparableConv2D(5, (3, 2), depth_multiplier=2), separable, image, True),
        "Conv1DTranspose": (layers.Conv1DTranspose(5, 3), nn.ConvTranspose1d(4, 5, 3), (7, 4), True),
        "Conv2DTranspose": (layers.Conv2DTranspose(5, (3, 2)), nn.ConvTranspose2d(4, 5, (3, 2)), image, True),
        "Embedding": (layers.Embedding(6, 3), nn.Embedding(6, 3), (4,), False),
        "BatchNormalization": (layers.BatchNormalization(epsilon=1e-5), nn.BatchNorm2d(4), image, True),
        "LayerNormalization": (layers.LayerNormalization(epsilon=1e-5), nn.LayerNorm(6), (4, 6), False),
        "GroupNormalization": (layers.GroupNormalization(2, epsilon=1e-5), nn.GroupNorm(2, 4), image, True),
        "RMSNormalization": (layers.RMSNormalization(epsilon=1e-5), nn.RMSNorm(6, eps=1e-5), (4, 6), False),
        "SimpleRNN": (
            layers.SimpleRNN(3, use_bias=False, return_sequences=True),
            First(nn.RNN(6, 3, bias=False, batch_first=True)),
            (4, 6),
            False,
        ),
        "LSTM": (lstm, First(nn.LSTM(6, 3, bias=False, batch_first=True)), (4, 6), False),
        "GRU": (gru, First(nn.GRU(6, 3, batch_first=True)), (4, 6), False),
        "Bidirectional": (
            layers.Bidirectional(layers.GRU(3, return_sequences=True)),
            First(nn.GRU(6, 3, batch_first=True, bidirectional=True)),
            (4, 6),
            False,
        ),
        "MultiHeadAttention": (keras.Model(tokens, attended), Attention(), (4, 6), False),
    }


def assert_same_function(layer, module, shape, moved):
    """The two compute the same with the weights of one, moved to the other as the layouts say."""
    import torch

    from samestep.frameworks import torch as torch_adapter
    from samestep.matching.aligning import align

    inputs = keras.Input(shape)
    model = compiled(keras.Model(inputs, layer(inputs)), loss="mse", metrics=())
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape).astype(np.float32))
    x = (
        rng.integers(0, 6, (2, *shape))
        if "embedding" in layer.name
        else rng.normal(size=(2, *shape)).astype(np.float32)
    )
    built = torch_adapter.Program(
        module, loss=lambda outputs, y: outputs.sum(), optimizer=torch.optim.SGD(module.parameters(), 0.1)
    )
    programs = adapter.load(model, x), torch_adapter.load(built, np.moveaxis(x, -1, 1) if moved else x)
    described = [adapter.describe(programs[0]), torch_adapter.describe(programs[1])]
    values = adapter.state(programs[0])
    for group in ("parameters", "buffers"):
        assert all("layout" in entry for entry in described[0][group]), described[0][group]
        aligned = align(*(side[group] for side in described))
        assert aligned.complete, aligned
        torch_adapter.state(programs[1], {group: aligned.to_right(values[group])})
    outputs = torch_adapter.forward(programs[1], np.moveaxis(x, -1, 1) if moved else x, False)["outputs"]["output"]
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.moveaxis(outputs, 1, -1) if moved else outputs, expected, rtol=2e-4, atol=1e-5)


def layouts_carry_weights_to_pytorch_where_they_compute_the_same():
    for name, (layer, module, shape, moved) in torch_twins().items():
        try:
            assert_same_function(layer, module, shape, moved)
        except Exception as error:
            raise AssertionError(name) from error


if BACKEND == "torch":
    check(layouts_carry_weights_to_pytorch_where_they_compute_the_same)


def main():
    wanted = sys.argv[1:] or CHECKS
    found = {}
    for name in wanted:
        try:
            random.seed(0)
            CHECKS[name]()
            found[name] = None
        except Exception:
            found[name] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
