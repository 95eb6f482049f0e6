"""minivggnet as a script: progress, report and figure, on few rows."""

import re
import subprocess
import sys

import numpy as np
import pytest

from samestep import data
from samestep.errors import DataError

ROWS = {"train": 40, "test": 20}


@pytest.fixture
def images(tmp_path):
    """A file of small images in ten classes, with test rows."""
    random, arrays = np.random.default_rng(0), {}
    for part, rows in ROWS.items():
        arrays[f"x_{part}"] = random.integers(0, 256, (rows, 8, 8, 3), np.uint8)
        arrays[f"y_{part}"] = np.arange(rows)[:, np.newaxis] % 10
    np.savez(tmp_path / "images.npz", **arrays)
    return tmp_path / "images.npz"


def run(*arguments, folder):
    command = [sys.executable, "-m", "samestep.experiments.minivggnet", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], marks=pytest.mark.framework("keras")),
        pytest.param(["--crelu"], marks=pytest.mark.framework("tf_keras")),
    ],
    ids=["relu", "crelu"],
)
def test_it_trains_reports_on_the_test_rows_and_draws(images, options):
    done = run("--plot", "curves.png", "--data", images, "--epochs", 2, "--seed", 1, *options, folder=images.parent)
    assert done.returncode == 0, done.stderr
    assert "Epoch 2/2" in done.stdout
    assert re.search(r"accuracy +[\d.]+ +20\n", done.stdout), "the report is of the 20 test rows"
    assert re.fullmatch(
        r"loss [\d.]+, accuracy [\d.]+, val_loss [\d.]+, val_accuracy [\d.]+", done.stdout.splitlines()[-1]
    )
    assert (images.parent / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--plot", "nowhere/x.png", "--data", "photos"], 2, "does not exist"),
        (["--plot", "x.png", "--data", "photos", "--epochs", "0"], 2, "at least 1"),
        (["--plot", "x.png", "--data", "digits"], 2, "colour images"),
        (["--plot", "x.png", "--data", "photo"], 2, "no data is called"),
        ([], 2, "--plot"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_framework_is_loaded(tmp_path, arguments, status, said):
    done = run(*arguments, folder=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert said in done.stderr


def test_test_rows_are_those_of_the_file_or_none(images, tmp_path):
    assert data.load_test(str(images)).rows == ROWS["test"]
    assert data.load(str(images)).rows == ROWS["train"]
    np.savez(tmp_path / "plain.npz", x=np.zeros((3, 2)), y=np.zeros(3))
    assert data.load_test(str(tmp_path / "plain.npz")) is None
    assert data.load_test("photos") is None
    with pytest.raises(DataError, match="there is no such file"):
        data.load_test(str(tmp_path / "missing.npz"))
