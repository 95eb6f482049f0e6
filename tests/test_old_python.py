"""TensorFlow 1.15 itself, in a Python 3.7 of its own, against today's frameworks.

The environment is built by `make old-tensorflow` where it is not there yet. A machine without Python 3.7
skips these tests and says so in the summary; one that has it and cannot build the environment fails.
"""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import samestep
from samestep import conformance
from samestep import data as data_by_name
from samestep.runs import launching, seeding
from samestep.worker.parent import Worker

ROOT = Path(__file__).parents[1]
NOT_TESTED = "NOT TESTED: real TensorFlow 1.15. No Python 3.7 here (pyenv install 3.7), so this check did not run."

PROGRAM = """
import tensorflow as tf

def build():
    x = tf.placeholder(tf.float32, (None, 5))
    y = tf.placeholder(tf.int32, (None,))
    hidden = tf.layers.dense(x, 8, activation=tf.nn.tanh)
    logits = tf.layers.dense(hidden, 3)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    train_op = tf.train.AdamOptimizer().minimize(loss, global_step=tf.train.get_or_create_global_step())
    from samestep.frameworks.tensorflow1 import Program
    return Program(inputs=x, targets=y, outputs=logits, loss=loss, train_op=train_op)
"""

PORT = """
import keras

def build(epsilon=1e-8):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001, epsilon=epsilon), loss)
    return model

def with_default_epsilon():
    return build(epsilon=1e-7)
"""

KERAS_2 = """
import keras

def build(input_shape):
    hidden = keras.layers.Dense(8, activation="tanh", input_shape=input_shape)
    model = keras.models.Sequential([hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def make(target):
    return subprocess.run(["make", "--silent", target], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def without_tensorflow_2(monkeypatch):
    """TensorFlow 2 asks for its ways by it, of all processes that are started from one that imported it."""
    monkeypatch.delenv("TF2_BEHAVIOR", raising=False)


@pytest.fixture(scope="module")
def old_python():
    if make("old-python").returncode:
        pytest.skip(NOT_TESTED)
    built = make("old-tensorflow")
    assert built.returncode == 0, built.stderr
    return str(ROOT / ".venv-tensorflow1/bin/python")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "old.py").write_text(PROGRAM)
    (tmp_path / "port.py").write_text(PORT)
    return tmp_path


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    units = np.array([1, 1, 1, 1, 1e-4])  # one column in small units: small gradients, where epsilon counts
    return (rng.normal(size=(70, 5)) * units).astype(np.float32), rng.integers(0, 3, 70)


def test_the_article_s_network_in_tensorflow_1_15_trains_as_in_keras_today(old_python):
    result = samestep.match("mnist-softmax", left_python=old_python, steps=20)
    assert result.left.versions["tensorflow"] == "1.15.5"
    assert result.left.versions["python"].startswith("3.7.")
    assert int(result.right.versions["keras"].split(".")[0]) >= 3
    assert result.verdict in ("identical", "rounding"), result


@pytest.mark.parametrize("program", ["mnist-softmax:tensorflow1", "keras2.py:tensorflow", "keras2.py:theano"])
def test_an_adapter_holds_every_fact_in_python_3_7(old_python, tmp_path, monkeypatch, program):
    path, _, backend = program.rpartition(":")
    if path.endswith(".py"):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        (tmp_path / path).write_text(KERAS_2)
        program = f"{tmp_path / path}"
    digits = data_by_name.load("digits")
    found = conformance.check(program, digits.x, digits.y, python=old_python)
    assert not found.broken, str(found)


def test_a_session_of_tensorflow_1_15_is_recorded_and_trains_the_same_bits(old_python, tmp_path):
    script = ROOT / "tests/scripts/tensorflow1_session.py"
    plain = subprocess.run([old_python, str(script)], capture_output=True, text=True, timeout=100, check=True)
    command = [sys.executable, "-m", "samestep", "record", "--python", old_python, "--to", "run", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=tmp_path)
    assert done.stdout == plain.stdout
    run = samestep.Run.open(tmp_path / "run")
    assert (run.status, run.steps) == ("complete", 14)
    assert run.manifest["environment"]["packages"]["tensorflow"].startswith("1.15")


def test_the_article_s_seeded_script_does_not_repeat_since_adam_reads_and_counts_its_steps_in_no_order(old_python):
    script = ROOT / "benchmarks/checking_sequence/keras_2_3.py"
    result = samestep.check(str(script), ["5"], python=old_python)
    assert result.verdict == "not reproducible", result
    assert (result.first_difference.what, result.first_difference.site) == ("parameter", "Adam/iterations")
    assert [(cause.source, cause.site) for cause in result.causes] == [("variable race in graph", "Adam/iterations")]
    assert result.mended.equal


def test_tensorflow_2_imported_beside_it_does_not_change_a_script_of_tensorflow_1(old_python, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("TF2_BEHAVIOR", "1")
    script = tmp_path / "train.py"
    script.write_text("import tensorflow as tf\nprint(tf.executing_eagerly())\nassert not tf.executing_eagerly()\n")
    assert samestep.check(str(script), python=old_python, runs=2).verdict == "reproducible"
    assert launching.record(str(script), python=old_python, folder=str(tmp_path / "run")).exit_status == 0
    assert seeding.run(7, str(script), python=old_python).exit_status == 0


def test_sources_are_found_in_python_3_7(old_python, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import numpy as np\nr = np.random.default_rng()\nprint(r.random(), len({'a', 'b'}))\n")
    result = samestep.check(str(script), python=old_python, runs=2)
    assert [(cause.source, cause.site) for cause in result.causes] == [("numpy.random.default_rng", "train.py:2")]
    assert (result.mended.equal, result.note) == (True, "")


@pytest.mark.parametrize(
    "script",
    [
        "import tensorflow as tf\ntf.reset_default_graph()\ndraw = tf.random.normal(())\nprint(tf.Session().run(draw))",
        "import tensorflow as tf\ntf.enable_eager_execution()\nprint(float(tf.random.normal(())))",
        "import keras\nlayer = keras.layers.Dense(1, input_shape=(1,))\n"
        "model = keras.Sequential([layer])\nprint(model.get_weights())",
        "import samestep\nwith samestep.seeded(7) as report:\n    print(report)\nimport random, numpy as np\n"
        "print(random.random(), np.random.random())",
    ],
    ids=["graph", "eager", "keras", "numpy alone"],
)
def test_a_script_on_python_3_7_is_seeded_before_it_makes_a_graph(old_python, tmp_path, script):
    (tmp_path / "script.py").write_text(script)

    def printed(seed):
        command = [sys.executable, "-m", "samestep", "seed", "--python", old_python, str(seed), "script.py"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=tmp_path)
        return done.stdout

    assert printed(7) == printed(7) != printed(8)


def test_the_same_file_trains_the_same_in_tensorflow_1_15_and_2(old_python):
    program = "mnist-softmax:tensorflow1"
    result = samestep.match(program, program, left_python=old_python, steps=20)
    assert result.left.versions["tensorflow"] == "1.15.5"
    assert result.right.versions["tensorflow"].startswith("2.")
    assert result.verdict in ("identical", "rounding"), result


def test_a_tf_layers_program_matches_its_port_once_epsilon_is_that_of_tensorflow_1(old_python, files, data):
    ported = samestep.match(f"{files}/old.py", f"{files}/port.py", data=data, left_python=old_python, steps=12)
    assert ported.verdict in ("identical", "rounding"), ported


def test_a_port_with_the_default_epsilon_of_keras_is_told_from_tensorflow_1(old_python, files, data):
    port = f"{files}/port.py:with_default_epsilon"
    result = samestep.match(f"{files}/old.py", port, data=data, left_python=old_python, steps=12)
    assert result.verdict == "different"
    assert result.first_difference.stage == "update"


def test_tensorflow_2_imported_in_the_asking_process_does_not_make_tensorflow_1_eager(
    old_python, files, data, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    monkeypatch.setenv("TF2_BEHAVIOR", "1")  # as importing TensorFlow 2 does
    with Worker("old", python=old_python) as worker:
        source = {"label": "old", "function": "build", "file": f"{files}/old.py", "module": None}
        assert worker.ask("load", source=source, seed=0, x=data[0], y=data[1])["rows"] == len(data[0])
