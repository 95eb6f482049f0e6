"""A plain run of a seed gives what its author's own script gives, bit for bit."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import asdict

import numpy as np
import pytest

from samestep.matching.sources import resolve
from samestep.worker.parent import Worker

KERAS = """
import keras

def build():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3),
                              keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=2)
    return model
"""
KERAS_SCRIPT = """
import keras, numpy as np
keras.utils.set_random_seed(3)
from program import build
data = np.load("data.npz")
model = build()
history = model.fit(data["x"], data["y"], batch_size=16, epochs=2, verbose=0).history
values = {name: values[-1] for name, values in history.items()}
measured = model.evaluate(data["x_test"], data["y_test"], batch_size=16, verbose=0, return_dict=True)
"""
TORCH = """
import torch
from samestep.frameworks.torch import Program

def build():
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 2))
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.Adam(model.parameters()))
"""
TORCH_SCRIPT = """
import numpy as np, torch
torch.manual_seed(3)
from program import build
data = np.load("data.npz")
built = build()
rng = np.random.default_rng(3)
for epoch in range(2):
    order, total = rng.permutation(len(data["x"])), 0.0
    for start in range(0, len(order), 16):
        rows = order[start : start + 16]
        built.optimizers[0].zero_grad()
        loss = built.loss(built.model(torch.tensor(data["x"][rows])), torch.tensor(data["y"][rows]))
        loss.backward()
        built.optimizers[0].step()
        total += len(rows) * loss.item()
values = {"loss": total / len(order)}
built.model.eval()
parts = [slice(start, start + 16) for start in range(0, len(data["x_test"]), 16)]
losses = [built.loss(built.model(torch.tensor(data["x_test"][p])), torch.tensor(data["y_test"][p])).item() for p in parts]
measured = {"loss": float(np.average(losses, weights=[len(data["x_test"][p]) for p in parts]))}
"""
LAST_LINES = """
import json
print(json.dumps({**values, **{"val_" + name: value for name, value in measured.items()}}))
"""


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(75, 6)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


@pytest.fixture
def plain_run(program, rows):
    """Gives the answer of a plain run of a program, in a fresh process."""
    x, y = rows

    def run(source, seed=3):
        found = resolve(program(source))
        with Worker("the program") as worker:
            parts = {"train": [x[:50], y[:50]], "held": [x[50:], y[50:]]}
            return worker.ask("plain_run", source=asdict(found), seed=seed, **parts, batch_size=16, epochs=2)

    return run


def by_hand(script, rows, folder):
    """What the author's own script prints last."""
    x, y = rows
    np.savez(folder / "data.npz", x=x[:50], y=y[:50], x_test=x[50:], y_test=y[50:])
    (folder / "script.py").write_text(script + LAST_LINES)
    here = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=120, env=here
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.framework("keras")
def test_of_a_keras_model_it_is_its_authors_fit_with_shuffling(plain_run, rows, tmp_path):
    found = plain_run(KERAS)
    assert found["metrics"] == by_hand(KERAS_SCRIPT, rows, tmp_path)
    assert set(found["metrics"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert found["versions"]["keras"]


@pytest.mark.framework("torch")
def test_of_a_pytorch_program_it_is_the_standard_loop_with_shuffling(plain_run, rows, tmp_path):
    assert plain_run(TORCH)["metrics"] == by_hand(TORCH_SCRIPT, rows, tmp_path)


def test_a_function_of_a_seed_gives_its_numbers(plain_run):
    source = textwrap.dedent("""
        import random
        import numpy as np
        def build(seed):
            return {"seed": seed, "python": random.random(), "numpy": np.float32(np.random.random())}
    """)
    random, numpy = __import__("random").Random(3), np.random.RandomState(3)
    expected = {"seed": 3.0, "python": random.random(), "numpy": float(np.float32(numpy.random_sample()))}
    assert plain_run(source)["metrics"] == expected
    assert plain_run("def build():\n    return 0.5\n")["metrics"] == {"value": 0.5}


def test_other_seeds_give_other_orders_of_the_rows(plain_run):
    source = "from samestep_numpy import Program\ndef build():\n    return Program(6)\n"
    one, again, other = (plain_run(source, seed)["metrics"] for seed in (0, 0, 1))
    assert one == again
    assert one["val_loss"] != other["val_loss"]
