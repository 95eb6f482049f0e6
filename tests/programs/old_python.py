"""The environment of Python 3.7 with TensorFlow 1.15, Keras 2.3 and Theano, for tests that need it."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def old_python(what):
    """Its interpreter: SAMESTEP_OLD_PYTHON, or what `make old-tensorflow` builds. what: the words for what is else not tested."""
    if "SAMESTEP_OLD_PYTHON" in os.environ:
        return os.environ["SAMESTEP_OLD_PYTHON"]
    if _make("old-python").returncode:
        pytest.skip(f"NOT TESTED: {what}. No Python 3.7 here (pyenv install 3.7), so this check did not run.")
    built = _make("old-tensorflow")
    assert built.returncode == 0, built.stderr
    return str(ROOT / ".venv-tensorflow1/bin/python")


def _make(target):
    return subprocess.run(["make", "--silent", target], cwd=ROOT, capture_output=True, text=True, check=False)
