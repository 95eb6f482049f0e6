"""Observation changes nothing: a program that has answered every request trains on as if nobody had looked."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from programs import plain_runs
from programs.mutants import digits
from samestep.matching import floor
from samestep.worker.parent import Worker

X, Y = digits()
TESTS = Path(__file__).parent


@pytest.fixture(scope="module", params=plain_runs.RUNS)
def program(request):
    return request.param


@pytest.fixture(scope="module")
def worker(program):
    with Worker(program) as worker:
        where = {"module": program} if program.startswith("samestep.") else {"file": find_spec(program).origin}
        worker.ask("load", source={"label": program, "function": "build", **where}, seed=0, x=X, y=Y)
        yield worker


@pytest.fixture(scope="module")
def plain_weights(program, tmp_path_factory):
    """Weights after a training by hand in a process that has no worker."""
    folder = tmp_path_factory.mktemp("plain")
    np.savez(folder / "data.npz", x=X, y=Y)
    command = [sys.executable, TESTS / "programs" / "plain_runs.py", program, folder / "data.npz", folder / "out.npz"]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"})
    with np.load(folder / "out.npz") as arrays:
        return [arrays[name] for name in arrays.files]


def test_a_program_observed_in_every_way_learns_the_same_weights_as_one_left_alone(worker, plain_weights):
    start = worker.ask("state")
    for _ in range(plain_runs.EPOCHS):
        assert_unmoved_by_observation(worker)
        worker.ask("train", batch_size=plain_runs.BATCH, epochs=1)
    end = worker.ask("state")
    learned = [*end["parameters"].values(), *end["buffers"].values()]
    assert sorted(map(bits, learned)) == sorted(map(bits, plain_weights))
    for group in ("parameters", "slots"):
        assert all(bits(start[group][name]) != bits(value) for name, value in end[group].items()), "it did learn"


def assert_unmoved_by_observation(worker):
    rows = worker.ask("rows", start=0, stop=plain_runs.BATCH)
    state, settings = worker.ask("state"), worker.ask("settings")
    rng = np.random.default_rng(0)
    gradients = worker.ask("gradients", **rows)["gradients"]
    original = {name: entry["value"] for name, entry in settings.items()}
    looks = [
        ("describe", {}),
        ("forward", {"x": rows["x"], "training": True}),
        ("forward", {"x": rows["x"], "training": False}),
        ("gradients", rows),
        ("update", {"gradients": gradients, **rows}),
        ("step", rows),
        ("evaluate", {"rows": 50, "batch_size": plain_runs.BATCH}),
        ("batches", {"batch_size": plain_runs.BATCH, "epochs": 2, "keep": 1}),
        ("rates", {"steps": [0, 1, 7, 100]}),
        ("settings", {"values": floor.moved_settings(settings, rng)}),
        ("step", rows),
        ("settings", {"values": original}),
        ("state", {"values": floor.moved_tree(state, rng)}),
        ("step", rows),
        ("state", {"values": state}),
    ]
    answers = [(do, worker.ask(do, **arguments)) for do, arguments in looks]
    after = worker.ask("state")
    assert flat({group: {name: after[group][name] for name in state[group]} for group in state}) == flat(state)
    assert worker.ask("settings") == settings
    assert all(flat(answer) != flat(state) for do, answer in answers if do in ("step", "update")), "they did something"


@pytest.mark.parametrize("do", ["gradients", "step", "evaluate", "batches", "rates"])
def test_a_request_answers_the_same_when_it_is_asked_again(worker, do):
    rows = worker.ask("rows", start=0, stop=plain_runs.BATCH)
    arguments = {
        "gradients": rows,
        "step": rows,
        "evaluate": {"rows": 50, "batch_size": plain_runs.BATCH},
        "batches": {"batch_size": plain_runs.BATCH, "epochs": 1},
        "rates": {"steps": [0, 5]},
    }[do]
    assert flat(worker.ask(do, **arguments)) == flat(worker.ask(do, **arguments))


def test_a_loss_keeps_its_precision_on_its_way_to_the_parent(worker):
    loss = worker.ask("gradients", **worker.ask("rows", start=0, stop=plain_runs.BATCH))["loss"]
    assert np.asarray(loss).dtype == np.float32


def bits(array):
    """Dtype, shape and content of an array, exactly."""
    array = np.asarray(array)
    return (array.dtype.str, array.shape, array.tobytes())


def flat(answer):
    """The same for all arrays and numbers of a nested answer."""
    if isinstance(answer, dict):
        return {name: flat(value) for name, value in answer.items()}
    return [flat(value) for value in answer] if isinstance(answer, list) else bits(answer)
