"""Recording: scripts run unedited, training changes by no bit, and what goes wrong around it is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import samestep
from samestep.recording import digests
from samestep.recording.recorder import GRADIENT, PARAMETER, Entry, Recorder
from samestep.runs.reading import Run

SCRIPTS = Path(__file__).parent / "scripts"
TOGETHER = {
    "tensorflow": {"tensorflow_loop.py": 12, "keras_fit.py": 22, "tf_keras_fit.py": 22},
    "torch": {"torch_loop.py": 14, "lightning_fit.py": 14, "trainer_fit.py": 14, "keras_fit.py": 22},
    "jax": {"jax_loop.py": 12, "keras_fit.py": 22},
    "tensorflow 1": {"tensorflow1_session.py": 14},
}
"""By framework, which takes longer to start than to train: scripts, and the updates that each makes."""
LOOP = """
import sys, time
import torch
model = torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
def train(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
"""


def run(*words, cwd, environment=None, **options):
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    words = [str(word) for word in words]
    return subprocess.run(
        words, cwd=cwd, env=variables, capture_output=True, text=True, timeout=200, check=False, **options
    )


def recorded(script, *arguments, to, cwd, options=(), environment=None):
    command = (sys.executable, "-m", "samestep", "record", "--to", to, *options, script, *arguments)
    return run(*command, cwd=cwd, environment=environment)


def rows_in(folder):
    """{source: number of updates} of a recorded run."""
    return {source: sum(block.rows for block in blocks) for source, blocks in Run.open(folder).sources.items()}


def written(folder, text, name="script.py"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """The folder of a script's run with a seed, made once."""
    place, made = tmp_path_factory.mktemp("seeded"), {}

    def run_of(script, seed):
        folder = place / f"{script}-{seed}"
        if folder not in made:
            made[folder] = recorded(SCRIPTS / script, seed, to=folder, cwd=place)
            assert made[folder].returncode == 0, made[folder].stderr
        return folder

    return run_of


@pytest.mark.parametrize("framework", TOGETHER)
def test_unedited_scripts_train_the_same_bits_and_repeat(framework, tmp_path):
    updates, options = TOGETHER[framework], {"cwd": tmp_path, "environment": {"KERAS_BACKEND": framework.split()[0]}}
    script, arguments = SCRIPTS / "several.py", ["3", *updates]
    plain = run(sys.executable, script, *arguments, **options)
    assert len(plain.stdout.split()) == len(updates), plain.stderr
    for name in ("one", "two"):
        done = recorded(script, *arguments, to=name, **options)
        assert done.returncode == 0, done.stderr
        assert done.stdout == plain.stdout, "the final weights have the same digest"
    one = Run.open(tmp_path / "one")
    assert (one.manifest["status"], one.manifest["note"]) == ("complete", "")
    assert sorted(rows_in(tmp_path / "one").values()) == sorted(updates.values())
    for blocks in one.sources.values():
        kinds = [entry.kind for entry in blocks[0].segment.entries]
        assert kinds.count(GRADIENT) == kinds.count(PARAMETER) >= 2
    assert samestep.diff(tmp_path / "one", tmp_path / "two").verdict == "identical"


@pytest.mark.parametrize("script", ["torch_loop.py", "jax_loop.py"])
def test_two_seeds_differ_from_the_first_update_on(script, seeded):
    result = samestep.diff(seeded(script, "1"), seeded(script, "2"))
    assert result.verdict == "different"
    assert result.first_difference.step == 0


def test_a_learning_rate_that_changes_later_is_found_at_its_update(tmp_path, seeded):
    text = (SCRIPTS / "torch_loop.py").read_text()
    script = written(tmp_path, text.replace("StepLR(optimizer, 5,", "StepLR(optimizer, 4,"))
    assert recorded(script, "1", to="other", cwd=tmp_path).returncode == 0
    first = samestep.diff(seeded("torch_loop.py", "1"), tmp_path / "other").first_difference
    assert (first.step, first.name) == (4, "learning_rate")


SHARDED = """
import jax, jax.numpy as jnp, optax
place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
params, optimizer = {"w": jnp.ones((4, 3))}, optax.adam(0.1)
state = optimizer.init(params)
def step(params, state, x):
    loss, gradients = jax.value_and_grad(lambda params: ((x @ params["w"]) ** 2).mean())(params)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, loss
plain, placed = jax.jit(step), jax.jit(step, out_shardings=(place, None, place), donate_argnums=(0, 1))
for one in (plain, placed, placed, plain, plain, placed):
    params, state, loss = one(params, state, jnp.ones((5, 4)))
    jax.random.normal(jax.random.key(0), (3,))
print(params["w"].tolist())
"""


def test_steps_of_jax_that_take_over_their_arguments_or_place_their_results_are_seen(tmp_path):
    script = written(tmp_path, SHARDED)
    plain, done = run(sys.executable, script, cwd=tmp_path), recorded(script, to="run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout != ""
    assert rows_in(tmp_path / "run") == {"optax": 6}
    rates = Run.open(tmp_path / "run").sources["optax"][0].norms[:, 1]
    assert np.all(np.diff(rates) < 0), "each row is of its own update"


FUNCTIONS = """
import keras, numpy as np, tensorflow as tf
keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x, y = random.random((24, 5), np.float32), random.integers(0, 3, 24)
class Trained(tf.Module):
    def __init__(self):
        super().__init__()
        self.w, self.count, self.optimizer = tf.Variable(tf.ones((5, 3))), tf.Variable(0), keras.optimizers.Adam(0.1)
    def update(self, x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y[: x.shape[0]], x @ self.w))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, [self.w]), [self.w]))
        return loss
    @tf.function
    def step(self, x, *, times=1):
        self.count.assign_add(1)
        if self.count > 2:  # of a tensor: AutoGraph makes a branch of the graph of it
            return {"loss": self.update(x) * times}
        return {"loss": self.update(x)}
    @tf.function
    def twice(self, x):
        return self.once(x), self.once(x)
    @tf.function
    def once(self, x):
        return self.update(x)
    @tf.function
    def many(self, x):
        for _ in tf.range(3):
            self.update(x)
    @tf.function(jit_compile=True)
    def compiled(self, x):
        return self.update(x)
    @tf.function
    def ahead(self, x):
        return x @ self.w
model = Trained()
for size in (24, 24, 24, 8):
    print(model.step(x[:size], times=2)["loss"].numpy())
print([loss.numpy() for loss in model.twice(x)], model.many(x), model.compiled(x).numpy(), model.compiled(x).numpy())
print(model.ahead(tf.constant(x)).shape, model.ahead.experimental_get_tracing_count(), model.count.numpy())
concrete = model.once.get_concrete_function(tf.TensorSpec((24, 5)))
print(concrete(tf.constant(x)).numpy(), {op.type for op in concrete.graph.get_operations()} & {"PyFunc"})
tf.saved_model.save(model, SAVED, signatures=concrete)
saved = tf.saved_model.load(SAVED)
print(saved.ahead(tf.constant(x)).numpy().sum(), [f.structured_outputs for f in saved.step.concrete_functions])
net = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")])
net.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=3)
net.fit(x, y, batch_size=5, epochs=2, verbose=0)
print(model.w.numpy().tobytes().hex(), net.get_weights()[0].tobytes().hex())
"""


def test_each_update_in_functions_of_tensorflow_is_seen_and_what_they_return_and_save_is_as_ever(tmp_path):
    plain = run(sys.executable, written(tmp_path, f"SAVED = 'plain'{FUNCTIONS}"), cwd=tmp_path)
    done = recorded(written(tmp_path, f"SAVED = 'recorded'{FUNCTIONS}"), to="run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout != ""
    assert rows_in(tmp_path / "run") == {"Adam": 4 + 2 + 3, "keras sequential": 2 * 5}
    assert done.stderr.count("updates within functions that XLA compiles are not recorded") == 1


NARROW = """
import jax, jax.numpy as jnp, numpy as np, optax
key = jax.random.key(0)
x = jax.random.normal(key, (16, 4))
def start():
    return {"w1": jax.random.normal(key, (4, 8)), "b1": jnp.zeros(8), "w2": jax.random.normal(key, (8, 1)), "b2": jnp.zeros(1)}
def loss(p, x):
    return ((jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"] - x[:, :1]) ** 2).mean()
def trained(optimizer, steps, tells, **how):
    def step(p, state, x):
        print("traced")
        value, gradients = jax.value_and_grad(loss)(p, x)
        if tells:
            jax.debug.print("{}", value)
        updates, state = optimizer.update(gradients, state, p)
        return optax.apply_updates(p, updates), state
    p, step = start(), jax.jit(step, **how)
    state = optimizer.init(p)
    for _ in range(steps):
        p, state = step(p, state, x)
    jax.effects_barrier()
    print([np.asarray(leaf).tobytes().hex() for leaf in jax.tree.leaves(p)])
trained(optax.adam(0.01), 30, False)
trained(optax.adam(0.01), 30, False, donate_argnums=(0, 1))
trained(optax.sgd(0.1), 3, True)
"""


def test_a_step_of_jax_that_would_be_compiled_otherwise_is_run_as_it_is(tmp_path):
    script = written(tmp_path, NARROW)
    plain, done = run(sys.executable, script, cwd=tmp_path), recorded(script, to="run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout != ""
    assert sum(rows_in(tmp_path / "run").values()) == 60
    assert "updates within step are not recorded" in done.stderr, "what prints is not run twice"
    blocks = [block for blocks in Run.open(tmp_path / "run").sources.values() for block in blocks]
    assert {entry.kind for block in blocks for entry in block.segment.entries} >= {GRADIENT, PARAMETER}


COPIED = """
import copy, io, pickle
import torch
from torch import nn
class Own(nn.Parameter):
    pass
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
model.extra = Own(torch.ones(2))
model[0].requires_grad_(False)
groups = [{"params": list(model[2].parameters())}, {"params": [*model[0].parameters(), model.extra], "lr": 0.5}]
optimizer = torch.optim.SGD(groups, lr=0.1)
def step(number):
    if number == 2:
        model[0].requires_grad_(True)
    if number == 3:
        model.double()
    optimizer.zero_grad()
    x = torch.ones(5, 4, dtype=model[2].weight.dtype)
    losses = [(model(x) * model.extra).pow(2).mean(), model[2].bias.sum()]
    torch.autograd.backward(loss for loss in losses)
    optimizer.step()
for number in range(5):
    step(number)
    copied = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    print(copied(torch.ones(1, 4, dtype=model[2].weight.dtype)).tolist(), len(copied._forward_pre_hooks), len(file.getvalue()))
print(len(pickle.dumps(model)), torch.jit.script(nn.Sequential(*model)).code, __file__)
print([p.tolist() for p in model.parameters()])
"""


def test_models_of_pytorch_are_copied_saved_and_scripted_as_ever_and_may_change_while_they_train(tmp_path):
    script = written(tmp_path, COPIED)
    plain, done = run(sys.executable, script.name, cwd=tmp_path), recorded(script.name, to="run", cwd=tmp_path)
    assert plain.returncode == done.returncode == 0, plain.stderr + done.stderr
    assert done.stdout == plain.stdout != ""
    assert rows_in(tmp_path / "run") == {"SGD": 5}
    blocks = Run.open(tmp_path / "run").sources["SGD"]
    dtypes = [{e.name: e.dtype for e in block.segment.entries if e.kind == GRADIENT}["0.weight"] for block in blocks]
    assert dtypes == ["none", "float32", "float64"]
    assert {"learning_rate", "learning_rate 1"} <= set(blocks[0].segment.scalars)


def test_the_script_sees_its_own_arguments_folder_and_exit_status(tmp_path):
    script = written(
        tmp_path,
        """
import os, sys
import helper  # beside the script
print(sys.argv, __name__, __file__, os.getcwd() == helper.HERE, "samestep" in sys.modules["__main__"].__dict__)
sys.exit(7)
""",
    )
    written(tmp_path, "HERE = __import__('os').getcwd()", "helper.py")
    plain = run(sys.executable, script, "--to", "x", "-h", cwd=tmp_path)
    done = recorded(script, "--to", "x", "-h", to="run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, plain.stdout)
    assert Run.open(tmp_path / "run").manifest["status"] == "failed"


def test_what_a_script_raises_is_shown_as_python_shows_it(tmp_path):
    script = written(tmp_path, "def f():\n    raise ValueError('of its own')\nf()\n")
    plain = run(sys.executable, script, cwd=tmp_path)
    done = recorded(script, to="run", cwd=tmp_path)
    assert done.returncode == plain.returncode == 1
    assert plain.stderr in done.stderr


@pytest.mark.parametrize("ending", ["os._exit(5)", "os.kill(os.getpid(), 9)"])
def test_rows_up_to_a_sudden_end_are_kept_and_the_end_is_told(ending, tmp_path):
    script = written(tmp_path, LOOP + f"import os\ntrain(300)\ntime.sleep(1.1)\ntrain(20)\n{ending}\n")
    done = recorded(script, to="run", cwd=tmp_path)
    seen = Run.open(tmp_path / "run")
    rows = seen.steps
    if "_exit" in ending:
        assert (done.returncode, rows, seen.manifest["status"]) == (5, 320, "failed")
    else:
        assert done.returncode == 128 + 9
        assert 256 <= rows <= 320
        assert seen.manifest["status"] == "incomplete"
        assert "ended before" in seen.manifest["note"]


def test_a_killed_recorder_leaves_a_run_that_says_that_it_was_cut_and_the_training_goes_on(tmp_path):
    text = LOOP + "train(300)\ntime.sleep(1.5)\nprint('on', flush=True)\ntrain(300)\nopen('done', 'w').close()\n"
    script = written(tmp_path, text)
    command = [sys.executable, "-m", "samestep", "record", "--to", "run", str(script)]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert running.stdout.readline() == b"on\n"
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    waiting = time.monotonic() + 60
    while not (tmp_path / "done").exists():
        assert time.monotonic() < waiting, "the script should go on to its end"
        time.sleep(0.05)
    seen = Run.open(tmp_path / "run")
    assert seen.cut
    assert seen.steps >= 256


def test_a_full_disk_ends_the_recording_and_not_the_training(tmp_path):
    script = written(tmp_path, LOOP + "import numpy\nfor n in range(5):\n    train(260)\nprint('trained')\n")
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000)); import samestep.cli as c; "
    limited += f"import sys; sys.argv[1:] = ['record', '--to', 'run', {str(script)!r}]; c.main()"
    done = run(sys.executable, "-c", limited, cwd=tmp_path)
    assert done.stdout == "trained\n", done.stderr
    assert "could not be written" in done.stderr
    assert Run.open(tmp_path / "run").manifest["status"] == "incomplete"


def test_processes_that_the_script_forks_record_nothing(tmp_path):
    text = LOOP + "import os\ntrain(3)\nif os.fork() == 0:\n    train(50)\n    os._exit(0)\nos.wait()\ntrain(2)\n"
    assert recorded(written(tmp_path, text), to="run", cwd=tmp_path).returncode == 0
    assert rows_in(tmp_path / "run") == {"SGD": 5}


def test_two_optimizers_are_two_sources_and_each_has_its_own_loss(tmp_path):
    text = """
import torch
one, two = torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 1))
optimizers = [torch.optim.SGD(one.parameters(), 0.1), torch.optim.Adam(two.parameters(), 0.2)]
for _ in range(3):
    for net, optimizer in zip((one, two), optimizers):
        optimizer.zero_grad()
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
"""
    recorded(written(tmp_path, text), to="run", cwd=tmp_path)
    assert rows_in(tmp_path / "run") == {"SGD": 3, "Adam 1": 3}
    heads = [blocks[0].segment.entries for blocks in Run.open(tmp_path / "run").sources.values()]
    names = [[entry.name for entry in entries if entry.kind == PARAMETER] for entries in heads]
    assert names == [["weight", "bias"], ["0.weight", "0.bias"]]


def test_a_batch_is_what_the_model_was_called_with_though_its_memory_holds_another_one_since(tmp_path):
    text = f"""{LOOP}
x = torch.empty(4, 3)
optimizer.zero_grad()
for value in (float(sys.argv[1]), 2.0):
    model(x.fill_(value)).sum().backward()
optimizer.step()
"""
    script = written(tmp_path, text)
    for value in ("1", "3"):
        assert recorded(script, value, to=f"run{value}", cwd=tmp_path).returncode == 0
    first = samestep.diff(tmp_path / "run1", tmp_path / "run3").first_difference
    assert (first.step, first.kind) == (0, "batch")


def test_a_script_without_training_says_that_no_update_was_seen(tmp_path):
    done = recorded(written(tmp_path, "print('hello')"), to="run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert "no update was seen" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.py"], "does not exist"),
        (["."], "is a folder"),
        (["--python", "/no/such/python", "script.py"], "cannot start the interpreter"),
        (["--digest", "md5", "script.py"], "no digest 'md5'"),
        (["--on-error", "panic", "script.py"], "continue or stop"),
        (["--to", "taken", "script.py"], "exists already"),
        (["--to", "no/such/place", "script.py"], "cannot be created"),
    ],
)
def test_bad_input_is_one_message_and_exit_status_2(words, message, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "print('hello')")
    (tmp_path / "taken").mkdir()
    assert message in refused("record", *words)


def test_folders_are_numbered_where_none_is_named(tmp_path):
    script = written(tmp_path, "")
    for _ in range(2):
        run(sys.executable, "-m", "samestep", "record", script, cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["script-0001", "script-0002"]


def recorder(**options):
    told = []
    return Recorder(told.append, **options), told


def rows(told):
    return [message["rows"] for message in told if "rows" in message]


def test_digests_tell_order_sign_of_zero_and_the_payload_of_a_nan():
    payload = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    arrays = [np.array([1, 2], "f4"), np.array([2, 1], "f4"), np.array([0.0, 1], "f4"), np.array([-0.0, 1], "f4")]
    for name, digest in digests.DIGESTS.items():
        seen = [digest(a) for a in arrays] + [digest(payload[:1]), digest(payload[1:])]
        assert len(set(seen)) == 6, name
        assert {len(one) for one in seen} == {16}


@pytest.mark.filterwarnings("ignore")
def test_digests_and_norms_on_a_device_are_those_of_the_same_arrays_on_the_host():
    import torch

    from samestep.frameworks import _recording_device

    torch.manual_seed(0)
    tensors = [torch.randn(5, 7), torch.tensor(2.5), torch.randn(3).bfloat16(), None, torch.arange(6), torch.zeros(0)]
    tensors += [torch.randn(4, 6).T, torch.tensor([True, False]), torch.tensor([0.0, -0.0])]
    arrays = [
        None if t is None else t.contiguous().view(torch.uint8).numpy() if t.dim() else t.numpy() for t in tensors
    ]
    found = _recording_device.digested(torch, tensors, torch.device("cpu"), lambda torch, tensor: tensor.numpy())
    for tensor, array, one in zip(tensors, arrays, found, strict=True):
        assert (one is None) == (tensor is None)
        if one is not None:
            assert one.digest == digests.DIGESTS[digests.MIX](np.ascontiguousarray(array)), tensor
            assert one.shape == tuple(tensor.shape)
    assert found[0].norm == pytest.approx(float(tensors[0].norm()))
    assert found[2].dtype == np.uint16, "the bits of a bfloat16"
    assert found[0].whole().shape == (5, 7)


def test_norms_are_euclidean_and_survive_numbers_whose_squares_overflow():
    one, told = recorder()
    arrays = [np.array([3, 4], "f4"), np.array([3e30, 4e30], "f4"), np.array([3, 4], np.int64), None]
    entries = tuple(Entry(PARAMETER, str(n), "float32" if n < 2 else "int64", (2,)) for n in range(4))
    one.update("it", entries, arrays, {})
    one.flush()
    np.testing.assert_allclose(rows(told)[0]["norms"][0], [5, 5e30, 5, np.nan], rtol=1e-6)
    assert not rows(told)[0]["digests"][0, 3].any(), "what is not there has the digest of nothing"


def test_scalars_are_logged_with_the_next_update_or_in_rows_of_their_own():
    one, told = recorder()
    one.log(accuracy=0.5)
    one.update("it", (), (), {"loss": 1.0})
    one.log(step=7, loss=0.25)
    one.flush()
    heads = {m["segment"]["source"]: m["segment"]["scalars"] for m in told if "segment" in m}
    assert heads == {"it": ("loss", "accuracy"), "log": ("loss",)}
    assert [block["step"].tolist() for block in rows(told)] == [[0], [7]]


@pytest.mark.parametrize("on_error", ["continue", "stop"])
def test_a_recorder_that_cannot_hand_on_says_so_and_lets_the_training_go_on_if_wanted(on_error, capsys):
    def full(message):
        raise OSError(28, "No space left on device")

    one = Recorder(full, on_error=on_error)
    if on_error == "stop":
        with pytest.raises(OSError, match="No space"):
            one.update("it", (), (), {"loss": 1.0})
    else:
        one.update("it", (), (), {"loss": 1.0})
        one.update("it", (), (), {"loss": 1.0})
    assert capsys.readouterr().err.count("No space left") == 1
    assert one.idle


def test_states_of_the_global_generators_are_read_in_place():
    import random

    from samestep.recording import generators

    found = {entry.name: read for entry, read in generators.generators()}
    for name, draw, state in (
        ("python", random.random, lambda: np.roll(np.array(random.getstate()[1], np.uint32), 1)),
        ("numpy", np.random.random, lambda: np.append(np.random.get_state()[1], np.uint32(np.random.get_state()[2]))),
    ):
        before = bytes(found[name]())
        draw()
        assert bytes(found[name]()) == state().tobytes() != before


def test_a_recording_by_hand_holds_what_is_told(tmp_path):
    with samestep.Recording(tmp_path / "run") as run:
        for step in range(3):
            run.log(step=step, loss=1 / (step + 1))
    seen = Run.open(tmp_path / "run")
    assert seen.manifest["status"] == "complete"
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["command"] == sys.argv
    assert rows_in(tmp_path / "run") == {"log": 3}


def test_whole_tensors_are_kept_every_so_many_updates(tmp_path):
    import torch

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with samestep.Recording(tmp_path / "run", every=2) as run, run.torch(model, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    seen = Run.open(tmp_path / "run")
    assert seen.samples == [0, 2, 4]
    last = seen.tensors(4)
    assert last["parameter/weight"].tobytes() == model.weight.detach().numpy().tobytes()
    assert sorted(last) == ["gradient/bias", "gradient/weight", "parameter/bias", "parameter/weight"]


HAND = """
import contextlib, sys
import numpy as np
import samestep
x, y = np.random.default_rng(0).normal(size=(64, 5)).astype("f4"), np.arange(64) % 3
recorded = sys.argv[1] == "recorded"
"""
BY_HAND = {
    "keras": """
import keras
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[run.keras()] if run else [])
model.fit(x, y, batch_size=16, verbose=0)
print([float(np.abs(w).sum()) for w in model.get_weights()])
""",
    "torch": """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(5, 3)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
def train(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(y)).backward()
        optimizer.step()
with run.torch(model, optimizer) if run else contextlib.nullcontext():
    train(8)
train(3)
print(model.weight.tolist())
""",
    "jax": """
import jax, jax.numpy as jnp
def step(w, batch):
    loss, gradient = jax.value_and_grad(lambda w: ((batch @ w) ** 2).mean())(w)
    w = w - 0.1 * gradient
    if run:
        run.jax({"w": w}, {"w": gradient}, loss, [batch])
    return w, loss
w, _ = jax.jit(lambda w: jax.lax.scan(step, w, x.reshape(4, 16, 5)))(jnp.ones(5))
for batch in x.reshape(4, 16, 5):
    w, _ = jax.jit(step)(w, batch)
print(w.tolist())
""",
}


def test_recordings_by_hand_see_the_updates_that_they_are_for_and_change_none(tmp_path):
    each = [
        f"run = samestep.Recording({name!r}) if recorded else None\n{part}run and run.close()\n"
        for name, part in BY_HAND.items()
    ]
    script, options = (
        written(tmp_path, HAND + "".join(each)),
        {"cwd": tmp_path, "environment": {"KERAS_BACKEND": "jax"}},
    )
    plain, done = (run(sys.executable, script, how, **options) for how in ("plain", "recorded"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    assert [list(rows_in(tmp_path / name).values()) for name in BY_HAND] == [[8], [8], [8]]
