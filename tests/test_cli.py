"""The command line: its exit statuses, its text without a terminal, its JSON and its help."""

import json
import os
import pty
import re
import subprocess
import sys
import threading

import pytest

import samestep as package
from conftest import LINEAR
from samestep import cli
from samestep.results import MatchResult

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """One comparison of two programs that differ in the learning rate, run as a user runs it."""
    folder = tmp_path_factory.mktemp("compared")
    for name, rate in (("left.py", 0.01), ("right.py", 0.02)):
        folder.joinpath(name).write_text(LINEAR.format(f"rate={rate}"))
    command = [sys.executable, "-m", "samestep", "match", "left.py", "right.py", "--steps", "3", "--json", "out.json"]
    return folder, subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)


def test_different_programs_end_with_exit_status_1(compared):
    _, done = compared
    assert done.returncode == cli.Exit.DIFFERENT == 1, done.stderr


def test_without_a_terminal_the_report_is_plain_text_and_standard_error_is_silent(compared):
    _, done = compared
    assert done.stdout.startswith("DIFFERENT")
    assert ESCAPE not in done.stdout
    assert done.stderr == ""


def test_the_json_file_holds_the_result_that_the_report_shows(compared):
    folder, _ = compared
    text = folder.joinpath("out.json").read_text()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["schema"] == "samestep/match/1"
    assert (found["verdict"], found["steps"], found["left"]["program"]) == ("different", 3, "left.py")
    assert MatchResult.from_json(text).to_json() + "\n" == text


def test_a_match_leaves_nothing_behind_in_the_users_folder(compared):
    folder, _ = compared
    assert {path.name for path in folder.iterdir()} == {"left.py", "right.py", "out.json"}


def test_identical_programs_end_with_exit_status_0(linear, samestep):
    done = samestep("match", linear(), linear(), "--steps", 2)
    assert (done.returncode, done.stdout.split()[0]) == (cli.Exit.SAME, "IDENTICAL"), done.stderr


def test_a_file_edited_within_the_second_is_read_anew(linear, samestep):
    edited, other = linear("rate=0.1", "edited.py"), linear("rate=0.1", "other.py")
    assert samestep("match", edited, other, "--steps", 1).returncode == cli.Exit.SAME
    before = os.stat(edited)
    linear("rate=0.2", "edited.py")
    os.utime(edited, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(edited).st_size == before.st_size
    assert samestep("match", edited, other, "--steps", 1).returncode == cli.Exit.DIFFERENT


def test_on_a_terminal_there_is_colour_and_progress(linear):
    shown = _on_a_terminal([sys.executable, "-m", "samestep", "match", linear(), linear(), "--steps", "2"])
    assert re.search(ESCAPE + r"\[[0-9;]*32m", shown), "IDENTICAL is green"
    assert "free run" in shown


def test_the_command_works_without_standard_streams(linear, tmp_path):
    command = f'"{sys.executable}" -m samestep match linear.py linear.py --steps 1 --json out.json <&- >&- 2>&-'
    linear()
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=60)
    assert done.returncode == cli.Exit.SAME
    assert json.loads(tmp_path.joinpath("out.json").read_text())["verdict"] == "identical"


def test_help_lists_every_option_of_match(samestep):
    done = samestep("match", "--help")
    assert done.returncode == 0
    options = (
        "--in --data --batch-size --epochs --steps --seed --own-init --left-python --right-python --timeout --json"
    )
    assert [option for option in options.split() if option not in done.stdout] == []
    assert ESCAPE not in done.stdout


def test_help_lists_the_commands(samestep):
    done = samestep("--help")
    assert (done.returncode, "match" in done.stdout) == (0, True)


def test_the_version_is_printed(samestep):
    done = samestep("--version")
    assert (done.returncode, done.stdout) == (0, f"samestep {package.__version__}\n")


def test_a_reader_that_leaves_early_does_not_change_the_exit_status(linear):
    left, right = linear(), linear("rate=0.5", "other.py")
    command = [sys.executable, "-m", "samestep", "match", left, right, "--steps", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (cli.Exit.DIFFERENT, "")


def test_a_mistake_of_samesteps_own_is_no_verdict(monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", lambda **_: 1 / 0)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == cli.Exit.CRASHED
    assert stop.value.code not in (0, 1, 2, 3)
    assert "ZeroDivisionError" in capsys.readouterr().err


def _on_a_terminal(command):
    """What the command shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read():
        try:
            while heard := os.read(ours, 4096):
                shown.extend(heard)
        except OSError:
            pass  # the terminal is closed

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "TERM": "xterm-256color"}
    subprocess.run(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment, timeout=120, check=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return shown.decode()
