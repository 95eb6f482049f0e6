"""Program files, and the command line, for tests of what goes wrong around a program."""

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kept_workers import KeptWorkers
from samestep import cli

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in a worker, for programs in this very process

LINEAR = "from samestep_numpy import Program\ndef build():\n    return Program({})\n"
"""A program of the plugin in plugins/samestep-numpy, a framework small enough for all that is around frameworks."""


SLOWEST_FIRST = (
    "test_tensorflow1_programs.py",
    "test_mutations.py",
    "test_keras_programs.py",
    "test_vectorised.py",
    "test_jax_programs.py",
    "test_explain_layers.py",
    "test_correct_twins.py",
    "test_docs.py",
    "test_repeat.py",
    "test_repeat_faults.py",
    "test_shared_randomness.py",
    "test_old_keras.py",
    "test_recording.py",
    "test_keras_backends.py",
    "test_known_differences.py",
    "test_conformance.py",
    "test_pytensor_programs.py",
    "test_tensorflow_programs.py",
    "test_tf_keras_programs.py",
    "test_explain_gradients.py",
    "test_explain_data.py",
    "test_explain_updates.py",
    "test_explain_losses.py",
    "test_explain_optimizers.py",
    "test_explain_schedules.py",
    "test_old_python.py",
    "test_zoo.py",
    "test_observation.py",
    "test_torch_programs.py",
    "test_explain_metrics.py",
    "test_explain_init.py",
    "test_double.py",
    "test_worker.py",
    "test_bad_input.py",
)
"""Files in the order in which two processes take them, so that both are done at about the same time."""


def pytest_configure(config):
    """pytest-xdist would begin with the files of many tests, whatever they cost."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Files that take long come first."""
    place = {name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture
def program(tmp_path):
    """Writes a program file and returns its path."""

    def write(source, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return str(path)

    return write


@pytest.fixture
def linear(program):
    """Writes a program that works, with these arguments of its Program, and returns its path."""
    return lambda arguments="", name="linear.py": program(LINEAR.format(arguments), name)


@pytest.fixture(scope="session")
def kept_workers(tmp_path_factory):
    """Workers that have imported their frameworks already, and serve one match after another."""
    workers = KeptWorkers(tmp_path_factory.mktemp("kept"))
    yield workers
    workers.close()


@pytest.fixture
def kept(kept_workers, monkeypatch):
    """Lets samestep.match take its workers from those that are kept."""
    monkeypatch.setattr(importlib.import_module("samestep.matching.match"), "Worker", kept_workers.take)


@pytest.fixture
def matcher(program, kept):
    """Writes a file of programs, and returns what matches two of its functions on these rows, with these options."""

    def make(source, rows, **options):
        path = program(source)
        match = importlib.import_module("samestep").match
        return lambda left, right: match(f"{path}:{left}", f"{path}:{right}", data=rows, **options)

    return make


@pytest.fixture
def samestep(tmp_path):
    """Runs the command line in a process of its own."""

    def run(*arguments, **options):
        return subprocess.run(
            [sys.executable, "-m", "samestep", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, **options.pop("env", {})},
            **options,
        )

    return run


@pytest.fixture
def refused(monkeypatch, capfd):
    """Runs the command line, which must refuse its input; returns the one message that it gives."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["samestep", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capfd.readouterr()
        assert stop.value.code == cli.Exit.BAD_INPUT, said.err
        assert said.out == ""
        assert_one_clear_message(said.err)
        return said.err

    return run


def assert_one_clear_message(text):
    """One message, without Python's traceback and without a line of samestep's own code."""
    assert text.startswith("samestep: ")
    assert text.count("samestep: ") == 1
    assert not text.startswith("samestep: program"), "which side is it?"
    assert "Traceback" not in text
    package = str(Path(cli.__file__).parent)
    assert package not in text.replace(os.path.join(package, "experiments"), "")
