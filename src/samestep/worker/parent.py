"""The parent's end of the line: starts a child, asks it, and ends it whatever happens."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samestep import errors
from samestep.worker import messages

CHILD = Path(__file__).with_name("child.py")
LAST_WORDS = 15
"""Lines of the child's own output that an error quotes."""


class Worker:
    """One program in a child process of its own.

    ``ask`` sends a request and waits for the answer; ``send`` and ``receive`` do the two halves, so
    that two workers can work at once. Leaving the ``with`` block kills the child and everything it
    started; if this process is killed itself, the child sees the line close and does the same.
    """

    def __init__(self, label: str, *, python: str | None = None, timeout: float = 300.0) -> None:
        self.label, self.timeout = label, timeout
        self.on_progress: Callable[[int, int], None] = lambda done, total: None
        self._said = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - append: reading must not move where the child writes
        self._process = self._start(python or sys.executable)
        self._answers: queue.Queue[dict[str, Any] | BaseException] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a request and wait for its answer."""
        self.send(do, **arguments)
        return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Send a request; its answer must be received before the next one is sent."""
        self._doing = do
        try:
            messages.write(self._process.stdin, {"do": do, "with": arguments})
        except OSError as error:
            raise self._death() from error

    def receive(self) -> Any:
        """Wait for the answer to the last request; silence longer than the timeout is a hang."""
        while True:
            try:
                message = self._answers.get(timeout=self.timeout)
            except queue.Empty:
                raise self._hang() from None
            if isinstance(message, BaseException):
                raise self._death() from message
            if "progress" in message:
                self.on_progress(*message["progress"])
            elif "error" in message:
                raise getattr(errors, message["error"]["kind"])(message["error"]["message"])
            else:
                return message["answer"]

    def close(self) -> None:
        """Kill the child and all that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                if stream:
                    stream.close()
            except OSError:
                pass  # a frame was cut short by the kill
        self._said.close()

    def _start(self, python: str) -> subprocess.Popen[bytes]:
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
        try:
            return subprocess.Popen(
                [python, "-u", str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise errors.UsageError(f"cannot start the interpreter {python}: {error.strerror}") from error

    def _listen(self) -> None:
        try:
            while True:
                self._answers.put(messages.read(self._process.stdout))
        except BaseException as error:
            self._answers.put(error)

    def _death(self) -> errors.WorkerError:
        try:
            code = self._process.wait(timeout=5)
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        except subprocess.TimeoutExpired:
            how = "closed the line"
        return errors.WorkerError(
            f"{self.label}: its process {how} during {self._doing!r}. It should stay alive and answer."
            f"{self._last_words()}"
        )

    def _hang(self) -> errors.WorkerError:
        if hasattr(signal, "SIGUSR1"):
            self._process.send_signal(signal.SIGUSR1)  # faulthandler writes where each thread is
            threading.Event().wait(0.5)
        words = self._last_words()
        self.close()
        return errors.WorkerError(
            f"{self.label}: no answer to {self._doing!r} for {self.timeout:g} s, so its process was ended. "
            f"If it is only slow, allow more with --timeout SECONDS.{words}"
        )

    def _last_words(self) -> str:
        if self._said.closed:
            return ""
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 20_000))
        lines = self._said.read().decode("utf-8", "replace").splitlines()[-LAST_WORDS:]
        return "\nIts last words:\n  " + "\n  ".join(lines) if lines else " It said nothing."
