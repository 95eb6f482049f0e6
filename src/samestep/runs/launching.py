"""Starts a user's script, records its training or seeds it, and lets it end as it would have ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from samestep.errors import DataError, UsageError
from samestep.recording import digests
from samestep.runs.writing import RunWriter
from samestep.worker import inherited, messages
from samestep.worker.child import NO_NUMPY

SCRIPT = Path(__file__).parents[1] / "recording" / "script.py"
WAITING = 64
"""Blocks of rows that may wait to be written; a training that is faster than its disk waits too."""
PATIENCE = 2.0
"""Seconds after the script's end in which its last rows may still arrive."""
ENDED = None
LACKS_NUMPY = "the interpreter has no NumPy; give it one: python -m pip install numpy"


@dataclass(frozen=True)
class Recorded:
    """What a recording led to: the run's folder, the script's exit status, the updates seen, what went wrong if anything."""

    folder: Path
    exit_status: int
    updates: int
    trouble: str


def record(
    script: str,
    arguments: Sequence[str] = (),
    *,
    folder: str | None = None,
    python: str | None = None,
    every: int = 0,
    digest: str = "",
    on_error: str = "continue",
) -> Recorded:
    """Run a script and record its training in a folder.

    folder: a new one; by default the next free `runs/SCRIPT-0001`. python: the interpreter, by default this one. every:
    updates from one sample of whole tensors to the next, 0 for none. digest: its name, see `samestep.recording.digests`.
    on_error: what becomes of the training when recording fails: "continue" or "stop". Raises UsageError for bad input.
    """
    _check(script, on_error, every)
    if python is None:
        digests.named(digest)
    place = Path(folder) if folder else _next_free(Path("runs"), Path(script).stem)
    options = {"record": {"digest": digest, "every": every, "on_error": on_error}}
    return run(place, [python or sys.executable], script, arguments, options)


def run(
    place: Path,
    interpreter: Sequence[str],
    script: str,
    arguments: Sequence[str],
    options: dict[str, Any],
    *,
    seconds: float | None = None,
    **how: Any,
) -> Recorded:
    """Run a script and record its training, without a look at the arguments.

    place: the run's folder. interpreter: its command. options: of `recording/script.py`. seconds: after which it is ended, with
    all that it started. how: further arguments of `subprocess.Popen`; with start_new_session=True signals are not handed on.
    """
    writer = RunWriter(place, command=[script, *arguments], script=script)
    try:
        process, stream = start(interpreter, script, arguments, options, how)
    except UsageError as error:
        writer.close(None, str(error))
        raise
    alone = how.get("start_new_session", False)
    with contextlib.nullcontext() if alone else signals_are_the_scripts(process), _ended_with_us(process, alone):
        trouble = _write_all(writer, process, stream, options["record"]["on_error"] == "stop", seconds)
        status = process.wait()
    return _finish(writer, status, trouble)


@contextmanager
def _ended_with_us(process: subprocess.Popen[bytes], alone: bool) -> Iterator[None]:
    """A script in a session of its own is ended, with what it left running, when it is waited for no longer."""
    try:
        yield
    finally:
        if alone:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def check_script(script: str, advice: str) -> None:
    """Raise UsageError unless it is a file."""
    if not Path(script).is_file():
        what = "is a folder" if Path(script).is_dir() else "does not exist"
        raise UsageError(f"{script} {what}. {advice}")


def _check(script: str, on_error: str, every: int) -> None:
    check_script(script, "Name the script that trains: samestep record train.py")
    if on_error not in ("continue", "stop"):
        raise UsageError(f"--on-error is continue or stop, not {on_error!r}.")
    if every < 0:
        raise UsageError(f"--tensors-every is a number of updates from 0 on, not {every}.")


def _next_free(parent: Path, name: str) -> Path:
    try:
        parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {parent} cannot be made: {error.strerror}. Name one with --to FOLDER.") from error
    taken = {entry.name for entry in parent.iterdir()}
    return next(parent / n for n in (f"{name}-{number:04d}" for number in range(1, len(taken) + 2)) if n not in taken)


def start(
    interpreter: Sequence[str], script: str, arguments: Sequence[str], options: dict[str, Any], how: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], BinaryIO]:
    """Start a script, and the line that its messages come on; options: see `samestep.recording.script`.

    interpreter: its command. how: further arguments of `subprocess.Popen`.
    """
    ours, theirs = os.pipe()
    command = [*interpreter, str(SCRIPT), str(theirs), json.dumps(options), script, *arguments]
    how = {"env": inherited.environment(), **how}
    try:
        process = subprocess.Popen(command, pass_fds=[theirs], **how)
    except OSError as error:
        os.close(ours)
        raise UsageError(f"cannot start the interpreter {interpreter[-1]}: {error.strerror}.") from error
    finally:
        os.close(theirs)
    return process, os.fdopen(ours, "rb", buffering=1 << 16)


@contextmanager
def signals_are_the_scripts(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the script by itself, other signals to end are handed on; what it does then is its affair."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hand_on(number: int, frame: Any) -> None:
        if number != signal.SIGINT and process.poll() is None:
            process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_all(
    writer: RunWriter, process: subprocess.Popen[bytes], stream: BinaryIO, stop: bool, seconds: float | None
) -> str:
    """Write what arrives until the script says that it has ended, or is dead; what went wrong, if anything."""
    trouble = ""
    for message in arriving(stream, process, seconds):
        if isinstance(message, str):
            return trouble or message
        trouble = trouble or _written(writer, message)
        if trouble and stop and process.poll() is None:
            process.terminate()
        if "ended" in message:
            break
    return trouble


def _listen(stream: BinaryIO, waiting: queue.Queue[Any]) -> None:
    try:
        with stream:
            while True:
                waiting.put(messages.read(stream))
    except EOFError:
        waiting.put(ENDED)
    except (ValueError, OSError) as error:
        waiting.put(f"the line from the script was garbled: {error}")


def arriving(stream: BinaryIO, process: subprocess.Popen[bytes], seconds: float | None = None) -> Iterator[Any]:
    """Messages until the line is closed, which a process that the script forked may hold open longer than it lives.

    The last one is a sentence where the line was garbled. seconds: after which the process is killed.
    """
    until = None if seconds is None else time.monotonic() + seconds
    waiting: queue.Queue[Any] = queue.Queue(WAITING)
    threading.Thread(target=_listen, args=(stream, waiting), daemon=True).start()
    while True:
        over = process.poll() is not None
        if until is not None and time.monotonic() > until and not over:
            process.kill()
        try:
            message = waiting.get(timeout=PATIENCE if over else 0.5)
        except queue.Empty:
            if over:
                return
            continue
        if message is ENDED:
            return
        yield message


def _written(writer: RunWriter, message: dict[str, Any]) -> str:
    """Write one message; what went wrong, if anything: the script goes on meanwhile, so it is said at once."""
    try:
        writer.take(message)
    except DataError as error:
        sys.stderr.write(f"samestep: {error}\n")
        return writer.why
    return writer.why


def shell_status(status: int) -> int:
    """The exit status as a shell tells it: 128 and the number of the signal that ended the process."""
    return 128 - status if status < 0 else status


def _finish(writer: RunWriter, status: int, trouble: str) -> Recorded:
    """Close the run with the true reason."""
    if status == NO_NUMPY and not writer.rows:
        trouble = trouble or LACKS_NUMPY
    status = shell_status(status)
    try:
        writer.close(status, trouble)
    except OSError as error:
        trouble = trouble or f"the run could not be closed: {error.strerror}"
    return Recorded(writer.folder, status, writer.rows, trouble)
