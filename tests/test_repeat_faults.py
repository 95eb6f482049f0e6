"""Repeats that are killed, cut short or run on a cluster that loses workers end with the values of an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import samestep
from samestep.errors import UsageError
from samestep.repeating.one_run import Outcome
from samestep.repeating.store import Store

LINEAR = "from samestep_numpy import Program\ndef build():\n    return Program(64)\n"
SLOW = LINEAR.replace("def build", "import time\ndef build").replace("    return", "    time.sleep(0.2)\n    return")
KEPT = {
    seed: Outcome(seed, {"loss": 1 / (seed + 1), "acc": float("nan")}, seconds=1.0, versions={"numpy": "2"})
    for seed in range(4)
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linear.py").write_text(LINEAR)
    return tmp_path


def started(**options):
    """samestep.repeat in a process of its own."""
    options = {"engine": "processes", **options}
    code = f"import samestep; samestep.repeat('linear.py', **{options!r})"
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def left_behind():
    """Processes that a samestep of this test started."""
    mark, here = b"SAMESTEP_WORKER=", f"PWD_OF_TEST={Path.cwd()}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        found += [entry.name] if mark in environment and here in environment else []
    return found


def test_killed_again_and_again_it_ends_with_the_same_values_and_leaves_no_process(folder, monkeypatch):
    monkeypatch.setenv("PWD_OF_TEST", str(folder))
    undisturbed = samestep.repeat("linear.py", engine="processes", seeds=16, folder="undisturbed").groups[0].values
    rng, kills = random.Random(0), 0
    for _ in range(5):
        process = started(seeds=16)
        time.sleep(rng.uniform(0.5, 2.5))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    assert kills, "it was never killed in the middle"
    assert samestep.repeat("linear.py", engine="processes", seeds=16).groups[0].values == undisturbed
    deadline = time.monotonic() + 10
    while left_behind():
        assert time.monotonic() < deadline, left_behind()
        time.sleep(0.1)


def test_interrupted_it_keeps_what_it_has(folder):
    (folder / "linear.py").write_text(SLOW)
    process = started(seeds=200)
    values = folder / "repeats" / "linear.py.jsonl"
    deadline = time.monotonic() + 60
    while not (values.exists() and values.read_bytes().count(b"\n") > 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=20)[1]
    count = values.read_bytes().count(b"\n") - 1
    assert 2 <= count < 200
    assert values.read_bytes().endswith(b"\n")


def filled(folder):
    with Store(folder, "one", {"the data": "abc"}) as store:
        for outcome in KEPT.values():
            store.add(outcome)
        return store.path


def reopened(folder):
    with Store(folder, "one", {"the data": "abc"}) as store:
        return {seed: repr(outcome) for seed, outcome in store.outcomes.items()}


ALL = {seed: repr(outcome) for seed, outcome in KEPT.items()}


def test_a_file_cut_at_any_byte_keeps_every_whole_line_and_can_be_gone_on_with(tmp_path):
    path = filled(tmp_path)
    content = path.read_bytes()
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        whole = max(0, content[:cut].count(b"\n") - 1)
        assert reopened(tmp_path) == dict(list(ALL.items())[:whole])
        with Store(tmp_path, "one", {"the data": "abc"}) as store:
            store.add(KEPT[3])
        assert reopened(tmp_path) == {**dict(list(ALL.items())[:whole]), 3: ALL[3]}


def test_a_changed_byte_costs_its_line_alone(tmp_path):
    path = filled(tmp_path)
    content = path.read_bytes()
    begin = content.index(b"\n") + 1
    for place in range(begin, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found = reopened(tmp_path)
        assert found.items() <= ALL.items()
        assert len(found) >= len(ALL) - 2, "a line's end may be what has changed"
        assert len(found) < len(ALL)


def test_what_is_computed_together_is_computed_together_again(tmp_path):
    with Store(tmp_path, "one", {}, "vectorised") as store:
        assert store.missing(range(3)) == [0, 1, 2]
        store.add(KEPT[1])
    with Store(tmp_path, "one", {}, "vectorised") as store:
        assert store.missing(range(4)) == [0, 1, 2], "as it was begun, and what is new after it"
        for seed in (0, 2):
            store.add(KEPT[seed])
        assert store.missing(range(4)) == [3]


def test_a_file_of_something_else_is_not_written_over(tmp_path):
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    with pytest.raises(UsageError, match="no file of values that this samestep can read"):
        reopened(tmp_path)
    assert path.read_bytes() == b"".join(lines[1:])


def test_a_full_disk_is_one_clear_message_and_what_was_kept_is_gone_on_with(folder):
    code = (
        "import resource, samestep; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "samestep.repeat('linear.py', seeds=8, workers=1, engine='processes')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "could not be written: File too large. Values before it are kept" in done.stderr
    undisturbed = samestep.repeat("linear.py", engine="processes", seeds=8, folder="undisturbed").groups[0].values
    assert samestep.repeat("linear.py", engine="processes", seeds=8).groups[0].values == undisturbed


LOSES_A_WORKER = """
import os, signal
from samestep_numpy import Program

def build(seed):
    if seed == 1 and not os.path.exists({flag!r}):
        open({flag!r}, "w").close()
        os.kill(os.getppid(), signal.SIGKILL)
    return Program(64)
"""


def test_a_cluster_gives_the_values_of_processes_though_it_loses_a_worker(folder):
    """Ray is left to a process of its own, since it leaves threads and files open as it likes."""
    flag = folder / "lost"
    flag.touch()
    (folder / "linear.py").write_text(LOSES_A_WORKER.format(flag=str(flag)))
    plain = samestep.repeat("linear.py", engine="processes", seeds=4, folder="plain").groups[0].values
    flag.unlink()
    process = started(seeds=4, engine="ray", workers=2, folder="ray")
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 0
    assert flag.exists(), "no worker was lost"
    assert samestep.repeat("linear.py", engine="processes", seeds=4, folder="ray").groups[0].values == plain


def test_a_cluster_that_is_not_there_is_one_clear_message(folder):
    process = started(seeds=1, engine="ray", address="127.0.0.1:1")
    assert "--address 127.0.0.1:1: no Ray cluster could be joined" in process.communicate(timeout=120)[1]


def test_a_run_without_ray_says_how_to_install_it(folder):
    code = "import sys; sys.modules['ray'] = None; import samestep; samestep.repeat('linear.py', engine='ray')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ)
    assert "pip install 'samestep[ray]'" in done.stderr
