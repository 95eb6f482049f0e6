"""Seeding: what is seeded repeats, what a block touched goes on as if it had not been, and the report is true."""

import json
import os
import random
import subprocess
import sys
import textwrap
import types
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samestep
from samestep.frameworks._seeding import SWITCHES
from samestep.seeding.report import SeedReport
from samestep.seeding.seeds import PACKAGES, Seeding

FRAMEWORKS = {"cupy", "jax", "keras", "pytensor", "sklearn", "tensorflow", "tf_keras", "theano", "torch"}
DRAWS = {
    ("import sklearn.utils", ""): [
        "random.random()",
        "np.random.normal()",
        "sklearn.utils.shuffle(list(range(9)))",
    ],
    ("import torch\nrows = torch.utils.data.DataLoader(range(8), shuffle=True)", ""): [
        "float(torch.randn(()))",
        "[int(row) for row in rows]",
    ],
    ("import tensorflow as tf, tf_keras\ntf.random.get_global_generator()", ""): [
        "float(tf.random.normal(()))",
        "float(tf.function(lambda: tf.random.normal(()))())",
        "list(tf.data.Dataset.range(9).shuffle(9).as_numpy_iterator())",
        "float(tf.random.get_global_generator().normal(()))",
        "float(tf_keras.initializers.RandomNormal()(()))",
    ],
    ("import keras", "torch"): [
        "float(keras.random.normal(()))",
        "float(keras.initializers.RandomNormal()(()))",
    ],
}
"""{(imports, Keras's backend): draws}"""


AS_KERAS = """
assert "tensorflow" not in sys.modules
samestep.seed(7, deterministic=True)
first = float(keras.random.normal(()))
assert "tensorflow" not in sys.modules
keras.utils.set_random_seed(7)  # imports TensorFlow
assert float(keras.random.normal(())) == first
"""


@pytest.fixture(autouse=True)
def _nothing_is_left_seeded():
    with samestep.seeded(0):
        yield


def fresh(code, **environment):
    """What a program prints that asserts for itself, in an interpreter of its own."""
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", **environment}
    words = [sys.executable, "-c", "import os, random, sys, samestep\n" + textwrap.dedent(code)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=variables, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def whats(entries, package):
    return " | ".join(entry.what for entry in entries if entry.package == package)


# generators


@pytest.mark.parametrize(("imports", "backend"), DRAWS, ids=["numpy", "torch", "tensorflow", "keras"])
def test_draws_repeat_after_seeding_before_or_after_the_import_and_go_on_after_a_block_as_if_it_had_not_been(
    imports, backend
):
    draws = ", ".join(f"{draw!r}: lambda: {draw}" for draw in DRAWS[imports, backend])
    code = f"""
report = samestep.seed(7)
import numpy as np
{imports}
draws = {{{draws}}}
states = random.getstate(), np.random.get_state()
late = [draw() for what, draw in draws.items() if "global" not in what]
samestep.seed(7)
random.setstate(states[0]), np.random.set_state(states[1])  # imports draw too
assert late == [draw() for what, draw in draws.items() if "global" not in what], "seeded when it was imported"

def check(draw):
    def draws(count):
        return [draw() for _ in range(count)]

    samestep.seed(7)
    plain = draws(4)
    samestep.seed(8)
    other = draws(4)
    assert other != plain, "a seed that changes nothing"
    block = samestep.seeded(8)
    samestep.seed(7)
    got = draws(1)
    with block:
        assert draws(4) == other
        with samestep.seeded(7):
            assert draws(4) == plain
        with block:
            assert draws(2) == other[:2]
    got += draws(1)
    try:
        with block:
            assert draws(1) == other[:1]
            samestep.seed(7)
            assert draws(1) == plain[:1]
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    got += draws(2)
    assert got == plain, (got, plain)

for what, draw in draws.items():
    print(what)
    check(draw)
{AS_KERAS if backend else ""}
"""
    assert fresh(code, KERAS_BACKEND=backend).splitlines() == DRAWS[imports, backend]


def test_what_is_imported_in_a_block_is_seeded_there_told_and_given_back_unseeded():
    fresh("""
def imported(block):
    with block as report:
        import torch
        assert "torch" in report.awaited
        return torch, torch.rand(3).tolist()

block = samestep.seeded(7)
assert block.report is None
torch, drawn = imported(block)
assert "torch" not in block.report.awaited
assert "torch" in {entry.package for entry in block.report.touched}
before = torch.rand(3).tolist()
with samestep.seeded(7):
    assert torch.rand(3).tolist() == drawn
assert before != drawn
import jax  # after the block nothing is awaited any more
assert "jax" not in {entry.package for entry in block.report.untouched}
""")


def test_an_import_within_nested_blocks_is_put_back_to_the_seed_of_the_outer_one():
    fresh("""
with samestep.seeded(1):
    with samestep.seeded(2):
        import torch
        inner = torch.rand(3).tolist()
    outer = torch.rand(3).tolist()
assert torch.manual_seed(2) and torch.rand(3).tolist() == inner
assert torch.manual_seed(1) and torch.rand(3).tolist() == outer
""")


def test_tensorflow_is_unseeded_and_as_undeterministic_as_before_after_a_block_and_is_not_started_by_seeding():
    fresh("""
import tensorflow as tf
with samestep.seeded(7) as report:
    pass
assert any("global generator" in entry.what for entry in report.untouched if entry.package == "tensorflow")
tf.config.threading.set_intra_op_parallelism_threads(1)  # raises once TensorFlow has started
tf.compat.v1.disable_eager_execution()
tf.compat.v1.enable_eager_execution()  # raises once there is a graph
drawn = {float(tf.random.normal(())) for _ in range(3)}
generator = tf.random.get_global_generator
with samestep.seeded(7) as report:
    one = float(generator().normal(()))
    assert float(tf.random.normal(())) not in drawn
with samestep.seeded(7):
    assert float(generator().normal(())) == one
assert float(generator().normal(())) != one

from tensorflow.python.framework import config
with samestep.seeded(7, deterministic=True) as report:
    assert config.is_op_determinism_enabled()
    tf.random.normal(())
    try:
        tf.random.Generator.from_non_deterministic_state()
    except RuntimeError as error:
        assert "determinism" in str(error)
    else:
        raise AssertionError("not deterministic")
assert not config.is_op_determinism_enabled()
assert [s.what for s in report.switches if s.package == "tensorflow"] == ["tf.config.experimental.enable_op_determinism()"]
""")


def test_graphs_of_tensorflow_1_start_with_the_seed_in_a_block_and_without_one_after_it():
    fresh("""
import tensorflow.compat.v1 as tf
tf.disable_eager_execution()
def drawn(graph):
    with graph.as_default():
        with tf.Session() as session:
            return float(session.run(tf.random.normal(())))
default = tf.get_default_graph()
with samestep.seeded(7):
    assert default.seed == 7
    first = drawn(tf.Graph())
    assert drawn(tf.Graph()) == first
    with samestep.seeded(8):
        assert drawn(tf.Graph()) != first
    assert drawn(tf.Graph()) == first
assert default.seed is None
assert drawn(tf.Graph()) != first
""")


def test_seeding_imports_neither_numpy_nor_a_framework():
    code = "samestep.seed(7, deterministic=True)\nwith samestep.seeded(8): pass\nprint(*sys.modules)"
    loaded = {name.split(".")[0] for name in fresh(code).split()}
    assert (FRAMEWORKS | {"numpy"}) & loaded == set()


class Device:
    """Generators of two devices, as torch.cuda has them: a state is a seed and the number of draws."""

    def __init__(self, started):
        self.started, self.states = started, [(5, 1), (5, 2)]
        self._lazy_seed_tracker = types.SimpleNamespace(call_order=[])

    def is_initialized(self):
        return self.started

    def get_rng_state_all(self):
        return list(self.states)

    def set_rng_state_all(self, states):
        self.states = list(states)

    def seed_all(self):
        self.states = [("entropy", 0)] * 2


def with_torch(monkeypatch, device):
    def manual_seed(seed):
        device.states = [(seed, 0)] * 2

    torch = types.SimpleNamespace(cuda=device, manual_seed=manual_seed, get_rng_state=int, set_rng_state=bool)
    monkeypatch.setitem(sys.modules, "torch", torch)


def test_all_devices_of_cuda_are_seeded_and_put_back(monkeypatch):
    device = Device(started=True)
    with_torch(monkeypatch, device)
    with samestep.seeded(7):
        assert device.states == [(7, 0), (7, 0)]
    assert device.states == [(5, 1), (5, 2)]


def test_cuda_that_started_in_a_block_draws_from_entropy_after_it(monkeypatch):
    device = Device(started=False)
    with_torch(monkeypatch, device)
    with samestep.seeded(7):
        device.started = True
    assert device.states == [("entropy", 0)] * 2


def test_cuda_that_started_in_a_block_has_the_seed_after_it_that_awaited_its_start(monkeypatch):
    device = Device(started=False)
    device._lazy_seed_tracker.call_order = [None, (lambda: device.set_rng_state_all([(3, 0)] * 2), "traceback")]
    with_torch(monkeypatch, device)
    with samestep.seeded(7):
        device.started = True
    assert device.states == [(3, 0)] * 2


def test_every_device_of_cupy_is_seeded_and_put_back(monkeypatch):
    states, current = {0: "own", 1: "other"}, [0]

    class On:
        def __init__(self, number):
            self.number = number

        def __enter__(self):
            current.append(self.number)

        def __exit__(self, *raised):
            current.pop()

    cupy = types.SimpleNamespace(
        cuda=types.SimpleNamespace(Device=On, runtime=types.SimpleNamespace(getDeviceCount=lambda: 2)),
        random=types.SimpleNamespace(
            RandomState=lambda seed: ("seeded", seed),
            get_random_state=lambda: states[current[-1]],
            set_random_state=lambda state: states.update({current[-1]: state}),
        ),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with samestep.seeded(7) as report:
        assert states == {0: ("seeded", 7), 1: ("seeded", 7)}
        assert "every device" in whats(report.touched, "cupy")
    assert states == {0: "own", 1: "other"}


def test_a_version_that_is_made_otherwise_is_told_and_the_others_are_seeded(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace())
    with samestep.seeded(7) as report:
        assert random.random() == random.Random(7).random()
    assert "AttributeError" in next(entry.why for entry in report.untouched if entry.package == "cupy")


# nesting, for any program of draws, blocks and seeds

STEPS = st.recursive(
    st.just("draw"),
    lambda steps: st.lists(
        steps | st.tuples(st.just("block"), st.integers(0, 3), st.booleans(), st.lists(steps, max_size=3)), max_size=5
    ),
    max_leaves=12,
)


def drawn(steps, blocks, within=False):
    """The draws of a program outside of its blocks; in one, seeds are set as well."""
    if steps == "draw":
        return [(random.random(), np.random.random())]
    if isinstance(steps, list):
        return [draw for step in steps for draw in drawn(step, blocks, within)]
    _, seed, raises, inner = steps
    if blocks is not None:
        block = blocks.setdefault(seed, samestep.seeded(seed))  # the same one again for the same seed
        try:
            with block as report:
                assert report.seed == seed
                assert random.random() == random.Random(seed).random()
                drawn(inner, blocks, True)
                samestep.seed(seed + 10)
                if raises:
                    raise LookupError
        except LookupError:
            pass
    return []


@settings(deadline=None)
@given(STEPS, st.integers(0, 2**32 - 1))
def test_blocks_of_any_nesting_change_no_draw_outside_of_them(steps, seed):
    samestep.seed(seed)
    without = drawn(steps, None)
    finders = list(sys.meta_path)
    samestep.seed(seed)
    assert drawn(steps, {}) == without
    assert len(sys.meta_path) == len(finders), "no block waits for imports any more"


def test_one_seed_after_the_other_waits_for_imports_once():
    samestep.seed(1)
    before = len(sys.meta_path)
    for seed in range(5):
        samestep.seed(seed)
    assert len(sys.meta_path) == before


def test_a_block_is_a_decorator_too():
    @samestep.seeded(7)
    def draw():
        return random.random()

    assert draw() == draw() == random.Random(7).random()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "7", None, True, [1]])
def test_what_is_no_seed_is_refused_and_nothing_is_touched(seed):
    state = random.getstate()
    for use in (samestep.seed, samestep.seeded):
        with pytest.raises(samestep.UsageError, match=r"whole number from 0 to 4294967295 .* not "):
            use(seed)
    assert random.getstate() == state


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7)])
def test_the_smallest_and_the_largest_seed_and_numpys_integers_are_seeds(seed):
    samestep.seed(seed)
    assert np.random.random() == np.random.RandomState(int(seed)).random_sample()


# the report


def test_a_report_is_frozen_and_its_json_is_read_again():
    report = samestep.seed(7, deterministic=True)
    assert SeedReport.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["schema"] == "samestep/seed/1"
    with pytest.raises(FrozenInstanceError):
        report.seed = 8
    with pytest.raises(ValueError, match="expected a report with schema"):
        SeedReport.from_json('{"schema": "samestep/match/1"}')


def test_generators_that_exist_already_keep_their_state_and_this_is_told():
    own = np.random.default_rng(3)
    assert "np.random.Generator" in whats(samestep.seed(7).untouched, "numpy")
    assert own.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize(
    ("environment", "code", "seeded", "told"),
    [
        ({"PYTHONHASHSEED": "5"}, "", True, "PYTHONHASHSEED=5"),
        ({"PYTHONHASHSEED": "0"}, "", True, "PYTHONHASHSEED=0"),
        ({"PYTHONHASHSEED": "random"}, "", False, "start it with PYTHONHASHSEED=7"),
        ({"PYTHONHASHSEED": "random"}, "os.environ['PYTHONHASHSEED'] = '5'", False, "was set too late"),
    ],
)
def test_the_report_says_whether_hashes_were_seeded_when_the_interpreter_started(environment, code, seeded, told):
    out = fresh(f"{code}\nreport = samestep.seed(7)\nprint(report.to_json())", **environment)
    report = SeedReport.from_json(out)
    assert ("hashes" in whats(report.touched, "python")) == seeded
    assert told in " ".join(str(report).split())


def test_every_package_that_is_taken_care_of_is_in_the_docs():
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "seed-everything.md").read_text(encoding="utf-8")
    table = page[page.index("| package | seeded |") : page.index("Keras 3 is seeded without")]
    for package in ("python", *PACKAGES):
        assert f"`{package.split('.')[0]}`" in table
    switches = page[page.index("| package | switch |") :]
    for package in SWITCHES:
        assert f"| `{package}`" in switches


# switches


def test_the_switches_of_pytorch_and_the_seed_that_awaits_cuda_are_as_before_after_a_block():
    fresh("""
import torch
awaiting = torch.cuda._lazy_seed_tracker
torch.manual_seed(3)
before = awaiting.get_calls()
with samestep.seeded(7):
    assert awaiting.get_calls() != before
assert awaiting.get_calls() == before

cudnn = torch.backends.cudnn
cudnn.benchmark = True
torch.use_deterministic_algorithms(True, warn_only=True)
with samestep.seeded(7, deterministic=True) as report:
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert cudnn.deterministic and not cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    with samestep.seeded(8):
        assert torch.are_deterministic_algorithms_enabled()
assert torch.is_deterministic_algorithms_warn_only_enabled()
assert cudnn.benchmark and not cudnn.deterministic
assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
assert all(switch.cost for switch in report.switches)
torch.use_deterministic_algorithms(False)
with samestep.seeded(7):
    samestep.seed(8, deterministic=True)
    samestep.seed(9)
    assert torch.are_deterministic_algorithms_enabled()
assert not torch.are_deterministic_algorithms_enabled()
""")


def test_cublas_is_doubted_where_cuda_has_started_already(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    device = Device(started=True)
    with_torch(monkeypatch, device)
    sys.modules["torch"].backends = types.SimpleNamespace(
        cudnn=types.SimpleNamespace(deterministic=False, benchmark=True)
    )
    for expected in ("CUDA has started already", ""):
        with samestep.seeded(7, deterministic=True) as report:
            switch = next(switch for switch in report.switches if "CUBLAS" in switch.what)
            assert switch.doubt[:24] == expected
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # set before the start, as it should be
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_flags_of_xla_are_added_for_jax_put_back_and_doubted_once_its_backend_has_started():
    fresh(
        """
import jax
with samestep.seeded(7, deterministic=True) as report:
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to= --xla_gpu_deterministic_ops=true"
    assert not next(switch.doubt for switch in report.switches if switch.package == "jax")
    assert float(jax.numpy.ones(3).sum()) == 3  # the flag is known
assert os.environ["XLA_FLAGS"] == "--xla_dump_to="
with samestep.seeded(7, deterministic=True) as report:
    assert "started already" in next(switch.doubt for switch in report.switches if switch.package == "jax")
assert "jax.random.key(7)" in next(entry.why for entry in report.untouched if entry.package == "jax")
""",
        XLA_FLAGS="--xla_dump_to=",
    )


# the command line

SCRIPT = """
import os, random, sys
import numpy as np
print(sys.argv[1:], random.random(), np.random.random(), list({"a", "b", "c", "d"}), flush=True)
"""


def seed(folder, text, *arguments, options=(), number=7, python=()):
    (folder / "script.py").write_text(text)
    words = [sys.executable, "-m", "samestep", "seed", *options, str(number), "script.py", *arguments]
    variables = {**os.environ, "PYTHONHASHSEED": "random", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=folder, env=variables, check=False)


def test_a_script_runs_seeded_from_its_start_with_its_own_arguments_and_exit_status(tmp_path):
    first, again, other = (seed(tmp_path, SCRIPT + "sys.exit(5)", "--to", "x", number=number) for number in (7, 7, 8))
    assert first.returncode == 5
    assert first.stdout == again.stdout != other.stdout
    assert first.stdout.startswith(
        f"['--to', 'x'] {random.Random(7).random()} {np.random.RandomState(7).random_sample()}"
    )
    assert first.stderr.startswith("samestep: seed 7\nseeded\n  python ")
    assert "PYTHONHASHSEED=7" in first.stderr


@pytest.mark.parametrize(("ending", "status"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", 128 + 9), ("1/0", 1)])
def test_however_a_script_ends_what_was_seeded_is_told(ending, status, tmp_path):
    done = seed(tmp_path, SCRIPT + ending)
    assert done.returncode == status
    assert "\nseeded\n" in done.stderr
    assert ("ZeroDivisionError" in done.stderr) == ("1/0" in ending)


def test_frameworks_of_a_script_are_seeded_when_it_imports_them_and_the_report_is_written_as_json(tmp_path):
    script = "import torch\nprint(torch.rand(3), torch.are_deterministic_algorithms_enabled(), torch.initial_seed())"
    done = seed(tmp_path, script, options=("--deterministic", "--json", "report.json"))
    assert done.returncode == 0, done.stderr
    assert "True 7" in done.stdout
    assert "seeded" not in done.stderr
    report = SeedReport.from_json((tmp_path / "report.json").read_text())
    assert report.deterministic
    assert "torch" in {entry.package for entry in report.touched} & {switch.package for switch in report.switches}
    assert "torch" not in report.awaited
    assert not any(switch.doubt for switch in report.switches)


def test_a_script_may_seed_for_itself(tmp_path):
    done = seed(tmp_path, "import random\nrandom.seed(1)\nprint(random.random())")
    assert float(done.stdout) == random.Random(1).random()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("7", "nowhere.py"), "nowhere.py does not exist. Name the script that trains: samestep seed 7 train.py"),
        (("7", "."), ". is a folder"),
        (("4294967296", "x.py"), "SEED"),
        (("-1", "x.py"), "No such option: -1"),
        (("one", "x.py"), "SEED"),
        (("--json", "no/such/folder/file", "7", "x.py"), "does not exist"),
        (("--python", "no-such-python", "7", __file__), "cannot start the interpreter no-such-python"),
        ((), "Missing argument"),
    ],
)
def test_bad_input_is_one_message_and_exit_status_2(words, told, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "samestep", "seed", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_seeding_tells_comes_with_each_import(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    told = []
    seeding = Seeding(told.append)
    seeding.begin(7, False)
    before = len(told)
    seeding.restore()
    assert before == len([name for name in ("numpy.random", *sorted(FRAMEWORKS - {"sklearn"})) if name in sys.modules])
