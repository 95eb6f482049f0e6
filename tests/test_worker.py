"""The worker line: children that die, hang, shout or start others; and parents that are killed."""

import os
import signal
import subprocess
import sys
import time
import uuid

import numpy as np
import psutil
import pytest

from samestep.errors import ProgramError, UsageError, WorkerError
from samestep.worker import last_words
from samestep.worker.parent import Worker

DATA = {"x": np.zeros((4, 64), np.float32), "y": np.zeros(4, np.int64)}
STEPS = {"batch_size": 2, "epochs": 1}


def load(worker, path):
    return worker.ask("load", source={"label": "it", "file": path, "function": "build"}, seed=0, **DATA)


@pytest.fixture
def raised(program):
    """What loading a program raises; and no process of it is left."""

    def run(source, error=WorkerError, timeout=60.0):
        with Worker("it", timeout=timeout) as worker, pytest.raises(error) as caught:
            load(worker, program(source))
        assert processes_with(worker._mark) == []
        return str(caught.value)

    return run


def processes_with(text):
    """The living processes whose environment holds the text."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(text in value for value in process.environ().values()):
                found.append(process)
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def wait_until(fact, seconds=10.0):
    end = time.monotonic() + seconds
    while not fact() and time.monotonic() < end:
        time.sleep(0.05)
    return fact()


@pytest.mark.parametrize(
    ("death", "how"),
    [
        ("os._exit(7)", "ended with exit status 7"),
        ("os._exit(0)", "ended with exit status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "was killed by SIGTERM"),
        ("ctypes.string_at(0)", "was killed by SIGSEGV"),
        ("os.abort()", "was killed by SIGABRT"),
    ],
)
def test_a_child_that_dies_is_reported_with_its_last_words(raised, death, how):
    said = raised(f"import ctypes, os, signal\ndef build():\n    print('farewell')\n    {death}\n")
    assert said.startswith(f"it: its process {how} during 'load'.")
    assert "\n  farewell" in said


def test_a_crash_in_c_code_names_the_users_line(raised):
    said = raised("import ctypes\n\ndef build():\n    ctypes.string_at(0)\n")
    assert 'program.py", line 4 in build' in said
    assert "samestep/worker" not in said


def test_a_death_is_noticed_although_a_forked_grandchild_holds_the_line_open(raised):
    start = time.monotonic()
    said = raised("import os, time\ndef build():\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(3)\n")
    assert "exit status 3" in said
    assert time.monotonic() - start < 20


def test_a_request_to_a_dead_child_says_so(program):
    with Worker("it", timeout=60) as worker:
        with pytest.raises(ProgramError):
            load(worker, program("def build(): raise ValueError\n"))
        worker._process.kill()
        worker._process.wait()
        with pytest.raises(WorkerError, match="was killed by SIGKILL during 'state'"):
            worker.ask("state")


@pytest.mark.parametrize(
    "stuck",
    ["while True: pass", "time.sleep(1000)", "ctypes.PyDLL(None).sleep(1000)  # holds the interpreter's lock"],
    ids=["loop", "sleep", "in C code"],
)
def test_a_child_that_hangs_is_ended_and_the_message_tells_where(raised, stuck):
    said = raised(f"import ctypes, time\n\ndef build():\n    helper()\n\ndef helper():\n    {stuck}\n", timeout=1.5)
    assert said.startswith("it: no answer to 'load' for 1.5 s, so its process was ended.")
    assert "--timeout" in said
    assert 'program.py", line 7 in helper' in said
    assert "samestep/worker" not in said


def test_an_interpreter_that_never_answers_is_a_hang(tmp_path):
    mute = tmp_path / "python"
    mute.write_text("#!/bin/sh\nexec sleep 1000\n")
    mute.chmod(0o755)
    with Worker("it", python=str(mute), timeout=1) as worker, pytest.raises(WorkerError, match="no answer to 'start'"):
        load(worker, "program.py")
    assert processes_with(worker._mark) == []


def test_progress_is_a_sign_of_life(linear, program):
    source = linear("before_step=lambda: __import__('time').sleep(0.03)")
    with Worker("it", timeout=2) as worker:
        load(worker, source)
        seen = []
        worker.on_progress = lambda done, total: seen.append((done, total))
        worker.ask("train", batch_size=4, epochs=120)
    assert seen == [(50, 120), (100, 120)]


LOUD = """
    import os, subprocess, sys

    def build():
        print("a line\\n" * 200_000)
        os.write(1, b"SAME" * 100_000)
        sys.stdout.buffer.write(bytes(range(256)) * 1000)
        subprocess.run(["echo", "from a grandchild"])
        sys.__stdout__.write("x" * 1_000_000)
        sys.stderr.write("\\n" + "y" * 1_000_000 + "\\nthe end\\n")
        {}
"""


def test_a_program_that_shouts_on_standard_output_does_not_garble_the_line(raised):
    assert "build() raised ValueError: heard" in raised(LOUD.format("raise ValueError('heard')"), ProgramError)


def test_of_megabytes_only_the_last_words_are_quoted(raised):
    said = raised(LOUD.format("os._exit(1)"))
    assert said.endswith("\n  the end")
    assert len(said) < 20 * last_words.WIDTH


def test_a_program_that_reads_standard_input_finds_it_empty(raised):
    said = raised("import sys\ndef build():\n    raise ValueError(repr(sys.stdin.read()))\n", ProgramError)
    assert "ValueError: ''" in said
    assert "EOFError" in raised("def build(): input()\n", ProgramError)


def test_a_program_that_closes_standard_output_can_still_answer(raised):
    source = "import os, sys\ndef build():\n    sys.stdout.close(); os.close(1); os.close(0)\n    raise ValueError('heard')\n"
    assert "ValueError: heard" in raised(source, ProgramError)


@pytest.mark.parametrize("leave", ["sys.exit(0)", "sys.exit('enough')", "raise KeyboardInterrupt", "exit()"])
def test_a_program_that_leaves_in_build_is_an_error_at_the_users_line(raised, leave):
    said = raised(f"import sys\ndef build():\n    {leave}\n", ProgramError)
    assert said.startswith("it: build() raised ")
    assert 'program.py", line 3, in build' in said


def test_a_program_that_leaves_while_it_is_loaded_is_an_error(raised):
    assert "it: loading it raised SystemExit" in raised("import sys\nsys.exit(0)\n", ProgramError)


def test_a_program_file_may_be_called_like_its_framework(program):
    source = "import importlib.util\ndef build(): raise ValueError(importlib.util.find_spec('keras').origin)\n"
    path = program(source, "keras.py")
    with Worker("it", timeout=60) as worker, pytest.raises(ProgramError) as caught:
        load(worker, path)
    assert f"ValueError: {path}" not in str(caught.value)
    assert "keras/__init__.py" in str(caught.value)


def test_a_program_that_waits_for_all_its_children_is_not_kept_waiting(raised):
    source = """
        import os, subprocess
        def build():
            subprocess.Popen(["true"])
            while True:
                os.wait()
    """
    assert "ChildProcessError" in raised(source, ProgramError)


def test_an_answer_that_cannot_be_sent_is_an_error_and_the_line_goes_on(linear, program):
    source = program("""
        import samestep_numpy
        from samestep_numpy import Program
        samestep_numpy.settings = lambda program, values=None: {"rate": object()}
        def build():
            return Program()
    """)
    with Worker("it", timeout=60) as worker:
        load(worker, source)
        with pytest.raises(ProgramError, match="it: its answer to 'settings' cannot be sent"):
            worker.ask("settings")
        assert worker.ask("rows", start=0, stop=1)["x"].shape == (1, 64)


FAMILY = """
    import ctypes, multiprocessing, os, subprocess, sys, time

    def build():
        subprocess.Popen(["sleep", "1000"])
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; sleep 1000; sleep 1000"])
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,)).start()
        open(os.environ["READY"] + str(os.getpid()), "w").close()
        {}
"""
BUSY = {"loop": "while True: pass", "in C code": "ctypes.PyDLL(None).sleep(1000)"}


AS_FROM_A_TERMINAL = """
import signal
from samestep.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
main()
"""
"""A suite started with nohup, or in a shell's background, hands on that these signals are ignored."""


def test_closing_a_worker_ends_all_that_its_program_started(program, tmp_path, monkeypatch):
    monkeypatch.setenv("READY", str(tmp_path / "ready"))
    with Worker("it", timeout=60) as worker:
        with pytest.raises(ProgramError, match="enough"):
            load(worker, program(FAMILY.format("raise ValueError('enough')")))
        assert len(processes_with(worker._mark)) >= 6, "the child, its guard and four grandchildren"
    assert processes_with(worker._mark) == []


@pytest.fixture
def busy(program, tmp_path):
    """Starts a match of two programs that never end; returns it and a mark of all its processes."""
    started = []

    def start(doing):
        path, mark, ready = program(FAMILY.format(BUSY[doing])), uuid.uuid4().hex, tmp_path / "ready"
        running = subprocess.Popen(
            [sys.executable, "-c", AS_FROM_A_TERMINAL, "match", path, path],
            env={**os.environ, "READY": str(ready), "OF_THIS_TEST": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append((running, mark))
        assert wait_until(lambda: len(list(tmp_path.glob("ready*"))) == 2, 60), "both programs are busy"
        assert len(processes_with(mark)) >= 13
        return running, mark

    yield start
    for running, mark in started:
        running.kill()
        for process in processes_with(mark):  # none, unless the test has failed
            process.kill()
        running.communicate()


@pytest.mark.parametrize(
    ("killed_by", "doing"),
    [(signal.SIGKILL, "loop"), (signal.SIGKILL, "in C code"), (signal.SIGTERM, "loop"), (signal.SIGHUP, "loop")],
)
def test_no_process_outlives_a_killed_command_line(busy, killed_by, doing):
    running, mark = busy(doing)
    running.send_signal(killed_by)
    assert running.wait(timeout=10) == -killed_by
    assert wait_until(lambda: processes_with(mark) == []), processes_with(mark)


@pytest.mark.parametrize("doing", BUSY)
def test_ctrl_c_ends_everything_with_a_short_message_and_exit_status_130(busy, doing):
    running, mark = busy(doing)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=10)
    assert (running.returncode, said) == (130, "samestep: interrupted. Every program that it started has been ended.\n")
    assert processes_with(mark) == []


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("/no/such/python", "cannot start the interpreter /no/such/python: No such file or directory."),
        ("/", "cannot start the interpreter /: Permission denied."),
        ("/bin/cat", "the interpreter /bin/cat could not be used, it garbled the line"),
        ("/bin/false", "the interpreter /bin/false could not be used, it ended with exit status 1."),
    ],
)
def test_what_is_no_interpreter_is_refused(python, message):
    with pytest.raises(UsageError) as caught, Worker("it", python=python, timeout=60) as worker:
        load(worker, "program.py")
    assert str(caught.value).startswith(f"it: {message}")
    assert "A Python 3.7 or newer with NumPy is needed." in str(caught.value)


def test_workers_that_were_closed_leave_no_file_open(linear):
    path = linear()
    open_before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with Worker("it", timeout=60) as worker:
            load(worker, path)
    worker.close()
    assert len(os.listdir("/proc/self/fd")) <= len(open_before)


def test_a_state_of_many_megabytes_goes_both_ways_unchanged(linear):
    kernel = np.arange(8_000_000, dtype=np.float32).reshape(-1, 1)
    with Worker("it", timeout=60) as worker:
        load(worker, linear())
        received = worker.ask("state", values={"parameters": {"kernel": kernel}})
    assert np.array_equal(received["parameters"]["kernel"], kernel)


DUMP = """before
Fatal Python error: Segmentation fault

Thread 0x1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 1 in wait

Current thread 0x2 (most recent call first):
{}
  File "/home/me/train.py", line 3 in build
  File "/opt/samestep/worker/loading.py", line 9 in load

Extension modules: many
"""


def test_a_long_traceback_keeps_the_innermost_line_and_the_users_own():
    inner = "\n".join(f'  File "/lib/library.py", line {i} in f{i}' for i in range(50))
    quoted = last_words.quoted(DUMP.format(inner))
    assert len(quoted) <= last_words.LINES + 1
    assert '  File "/lib/library.py", line 0 in f0' in quoted
    assert '  File "/home/me/train.py", line 3 in build' in quoted
    assert not [line for line in quoted if "samestep" in line or "threading" in line]


def test_long_lines_are_cut_and_bytes_that_are_no_text_are_shown(tmp_path):
    path = tmp_path / "said"
    path.write_bytes(b"\xff\xfe" + b"x" * 5000)
    with path.open("rb") as stream:
        words = last_words.LastWords(stream)
        words.hear()
    assert words.quote() == "\nIts last words:\n  " + ("��" + "x" * 5000)[: last_words.WIDTH]


def test_a_child_that_said_nothing_is_said_to_have():
    with open(os.devnull, "rb") as stream:
        assert last_words.LastWords(stream).quote() == " It said nothing."
