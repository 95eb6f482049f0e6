"""Keras programs on JAX and PyTorch: the same checks on each, in a process of its own, as it can have one backend.

`test_keras_programs` runs those of them on TensorFlow that it does not have in another form.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_backend_checks import CHECKS

BACKENDS = ("jax", "torch")
SCRIPT = Path(__file__).with_name("keras_backend_checks.py")


@pytest.fixture(scope="session")
def outcomes():
    """By backend, {check: what failed, or None}; all backends at once."""
    path = os.pathsep.join([str(SCRIPT.parent), *filter(None, sys.path)])
    shown = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": path}
    running = {
        backend: subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env={**os.environ, **shown, "KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in BACKENDS
    }
    ended = {backend: process.communicate(timeout=600) for backend, process in running.items()}
    return {backend: _outcome(*said) for backend, said in ended.items()}


def _outcome(said, errors):
    try:
        return json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        return dict.fromkeys(CHECKS, f"the checks ended early:\n{errors[-3000:]}")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_on_each_backend(backend, name, outcomes):
    failed = outcomes[backend][name]
    assert failed is None, failed


def test_layouts_carry_weights_to_pytorch_where_they_compute_the_same(outcomes):
    failed = outcomes["torch"]["layouts_carry_weights_to_pytorch_where_they_compute_the_same"]
    assert failed is None, failed
