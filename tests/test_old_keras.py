"""Keras 2.3 on TensorFlow 1.15 and on Theano, in a Python 3.7 of its own: observed truly, and compared with Keras 3."""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import samestep
from programs.looking import assert_an_update_is_the_step_s, assert_trains_on_as_if_nobody_had_looked
from programs.old_python import old_python
from samestep.errors import ProgramError
from samestep.worker.parent import Worker

PROGRAMS = Path(__file__).parent / "programs" / "old_keras.py"
BACKENDS = ("tensorflow", "theano")
rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
BATCH = {"x": X[:16], "y": Y[:16]}
TWO = ({"a": X[:, :4], "b": X[:, 4:]}, {"left": Y, "right": X[:, :1]})
SEQUENCE = (np.arange(9, dtype=np.float32).reshape(9, 1) / 10, np.arange(1, 10, dtype=np.float32).reshape(9, 1) / 10)

PROGRAM = """
import keras
from keras.layers import Dense

def build(**settings):
    model = keras.models.Sequential([Dense(10, input_shape=(1,)), Dense(1)])
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.Adam(**settings))
    return model

def with_another_epsilon():
    return build(epsilon=1e-8)
"""
ON_THEANO = """
import os

os.environ["KERAS_BACKEND"] = "theano"
from sequence import build, with_another_epsilon
"""


@pytest.fixture(scope="module")
def python():
    return old_python("Keras 2.3 on TensorFlow 1.15 and on Theano")


@pytest.fixture(scope="module", params=BACKENDS)
def surroundings(request):
    """Variables that choose a backend; Theano does not compile to C, nor optimize much, which takes long."""
    return {"KERAS_BACKEND": request.param, "THEANO_FLAGS": "cxx=,optimizer=fast_compile"}


@pytest.fixture(scope="module")
def worker(python, surroundings):
    with Worker("old", python=python, environment=surroundings) as worker:
        yield worker


@pytest.fixture
def start(worker):
    """Loads one of the programs and returns the worker that has it."""
    return lambda function, x=X, y=Y: load(worker, function, x, y)


def load(worker, function, x=X, y=Y):
    source = {"label": function, "function": function, "file": str(PROGRAMS), "module": None}
    worker.ask("load", source=source, seed=0, x=x, y=y)
    return worker


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("THEANO_FLAGS", "cxx=")
    (tmp_path / "sequence.py").write_text(PROGRAM)
    (tmp_path / "theano_s.py").write_text(ON_THEANO)
    return tmp_path


def versions(side):
    return {name: version.split(".")[0] for name, version in side.versions.items()}


@pytest.mark.parametrize("name", ["sequence.py", "theano_s.py"])
def test_one_file_trains_the_same_in_keras_2_3_and_keras_3(python, files, name):
    left, right = f"{files}/{name}", f"{files}/sequence.py"
    result = samestep.match(left, right, data=SEQUENCE, batch_size=9, steps=12, left_python=python)
    assert result.left.versions["keras"] == "2.3.1"
    assert int(result.right.versions["keras"].split(".")[0]) >= 3
    assert result.verdict in ("identical", "rounding"), result


def test_the_epsilon_of_keras_2_0_3_is_told_from_today_s_at_the_update(python, files):
    """In units in which gradients are small, where epsilon counts."""
    left, right = f"{files}/theano_s.py:with_another_epsilon", f"{files}/sequence.py"
    small = tuple(part * np.float32(1e-3) for part in SEQUENCE)
    result = samestep.match(left, right, data=small, batch_size=9, steps=12, left_python=python)
    assert result.verdict == "different"
    assert result.first_difference.stage == "update"


def test_observing_leaves_everything_its_bits_and_the_next_training_its_result(start):
    assert_trains_on_as_if_nobody_had_looked(lambda: nullcontext(start("busy")), X, Y)


def test_training_is_fit_bit_for_bit(python, surroundings, start, tmp_path):
    worker = start("momentum")
    weights = worker.ask("state")["parameters"]
    curve = worker.ask("train", batch_size=16, epochs=2)["running_loss"]
    learned = worker.ask("state")["parameters"]
    np.savez(tmp_path / "in.npz", x=X, y=Y, **{f"w{i}": value for i, value in enumerate(weights.values())})
    command = [python, "-W", "ignore", PROGRAMS, tmp_path / "in.npz", tmp_path / "out.npz"]
    ours = {name: value for name, value in os.environ.items() if name != "TF2_BEHAVIOR"}  # TensorFlow 2 leaves it here
    subprocess.run(command, check=True, capture_output=True, env={**ours, **surroundings})
    with np.load(tmp_path / "out.npz") as plain:
        assert [plain[name].tobytes() for name in plain.files] == [value.tobytes() for value in learned.values()]
    assert curve.shape == (8,)


SLOTS = {
    "sgd": set(),
    "momentum": {"rated_momentum"},
    "decay": set(),
    "rmsprop": {"mean_square"},
    "adagrad": {"accumulator"},
    "adadelta": {"accumulated_grad", "accumulated_delta_var"},
    "adam": {"first_moment", "second_moment"},
    "amsgrad": {"first_moment", "second_moment", "max_second_moment"},
    "adamax": {"first_moment", "infinity_norm"},
    "nadam": {"first_moment", "second_moment"},
    "clipped": set(),
    "trained_before": {"rated_momentum"},
}


def test_an_optimizer_given_its_gradients_does_what_its_step_does(start):
    worker = start("sgd")
    for function, roles in SLOTS.items():
        load(worker, function)
        worker.ask("train", batch_size=16, steps=2)
        assert_an_update_is_the_step_s(worker, BATCH)
        assert {entry["name"].split("|")[0] for entry in worker.ask("describe")["slots"]} == roles


def test_adam_updates_by_the_formula_of_its_source(start):
    """keras/optimizers.py, Adam.get_updates, in float64."""
    worker = start("adam")
    worker.ask("train", batch_size=16, steps=3)
    state = worker.ask("state")
    given = {name: rng.normal(size=value.shape).astype(np.float32) for name, value in state["parameters"].items()}
    after = worker.ask("update", gradients=given, **BATCH)
    worker.ask("settings", values={"epsilon": 0.5, "beta_1": 0.5})
    other = worker.ask("update", gradients=given, **BATCH)
    for beta, epsilon, updated in ((0.9, 1e-7, after), (0.5, 0.5, other)):
        for name, g in given.items():
            m = beta * state["slots"][f"first_moment|{name}"] + (1 - beta) * g.astype(np.float64)
            v = 0.999 * state["slots"][f"second_moment|{name}"] + 0.001 * g.astype(np.float64) ** 2
            rate = 0.01 * np.sqrt(1 - 0.999**4) / (1 - beta**4)
            expected = state["parameters"][name] - rate * m / (np.sqrt(v) + epsilon)
            np.testing.assert_allclose(updated["parameters"][name], expected, rtol=1e-5, atol=1e-6)


def test_training_repeats_from_one_state(start):
    """In a plain Keras 2.3 on TensorFlow it does not: Adam reads the number of updates while it is counted up."""
    worker = start("adam")
    first = worker.ask("state")
    curves = []
    for _ in range(6):
        worker.ask("state", values=first)
        curves.append(worker.ask("train", batch_size=16, epochs=6)["running_loss"].tobytes())
    assert len(set(curves)) == 1


def test_what_follows_from_the_number_of_updates_follows(start):
    worker = start("decay")
    expected = [0.1 / (1 + 0.1 * step) for step in (0, 3, 50)]
    np.testing.assert_allclose(worker.ask("rates", steps=[0, 3, 50]), expected, rtol=1e-6)
    load(worker, "nadam")
    own = worker.ask("train", batch_size=16, steps=3) and worker.ask("state")
    private = {name: value for name, value in own["private"].items() if "schedule" in name}
    worker.ask("state", values={"counters": {"step": np.array(9)}})
    moved = worker.ask("state", values={"counters": own["counters"]})
    for name, value in private.items():
        np.testing.assert_allclose(moved["private"][name], value, rtol=1e-6)
    assert len(private) == 1


def test_inputs_and_targets_go_by_name_and_every_layer_is_seen(start):
    worker = start("two_of_each", *TWO)
    batch = {"x": {n: a[:16] for n, a in TWO[0].items()}, "y": {n: a[:16] for n, a in TWO[1].items()}}
    seen = worker.ask("forward", x=batch["x"], training=True)
    assert {"shared", "shared#2", "left", "right"} <= set(seen["activations"])
    assert [value.shape for value in seen["outputs"].values()] == [(16, 3), (16, 1)]
    metrics = worker.ask("gradients", **batch)["metrics"]
    assert set(metrics) == {"left_loss", "right_loss", "left_accuracy"}
    assert worker.ask("train", batch_size=16, steps=2)["running_loss"].shape == (2,)
    first = worker.ask("batches", batch_size=16, epochs=1, keep=0)["kept"]
    np.testing.assert_array_equal(first["x_b"], TWO[0]["b"][:16])


def test_models_without_input_shape_and_pipelines_of_their_own_are_trained(start):
    worker = start("unbuilt")
    assert [entry["shape"] for entry in worker.ask("describe")["parameters"]] == [[6, 3], [3]]
    assert_an_update_is_the_step_s(worker, BATCH)
    load(worker, "own_batches")
    curve = worker.ask("train", batch_size=16, steps=6)["running_loss"]
    assert curve.shape == (6,)
    kept = worker.ask("batches", batch_size=16, epochs=1, keep=1)["kept"]
    np.testing.assert_array_equal(kept["x"], X[16:32][::-1])


REFUSED = {
    "not_compiled": "is not compiled",
    "of_tf_train": "TFOptimizer: a TFOptimizer keeps its slots to itself",
    "tensorflow_s_own": "its tf.keras has no train_step to observe",
}


def test_what_cannot_be_observed_is_refused_with_the_reason(python):
    with Worker("old", python=python, environment={"KERAS_BACKEND": "tensorflow"}) as worker:
        for function, message in REFUSED.items():
            with pytest.raises(ProgramError, match=re.escape(message)):
                load(worker, function)


def test_the_old_programs_are_read_by_this_python_too():
    compile(PROGRAMS.read_text(), str(PROGRAMS), "exec")
    assert sys.version_info >= (3, 11)
