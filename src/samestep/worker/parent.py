"""The parent's end of the line: starts a child, asks it, and ends it whatever happens."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from samestep import errors
from samestep.worker import inherited, messages
from samestep.worker.child import NO_NUMPY
from samestep.worker.ending import MARK, end_family
from samestep.worker.last_words import LastWords

CHILD = Path(__file__).with_name("child.py")
NEEDED = "A Python 3.7 or newer with NumPy is needed."


class Worker:
    """One program in a child process of its own.

    ``ask`` sends a request and waits for the answer; ``send`` and ``receive`` do the two halves, so
    that two workers can work at once. environment: variables that the program finds set. Leaving the
    ``with`` block kills the child and everything it started. If this process ends in any other way, the
    lifeline to the child closes, and a guard beside the child does the same.
    """

    def __init__(
        self,
        label: str,
        *,
        python: str | None = None,
        timeout: float = 300.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.label, self.timeout, self._variables = label, timeout, dict(environment or {})
        self.on_progress: Callable[[int, int], None] = lambda done, total: None
        self._python, self._mark, self._ready = python or sys.executable, uuid.uuid4().hex, False
        self._process = self._start()
        self._said = LastWords(_stream(self._process.stderr))
        self._answers: queue.Queue[dict[str, Any] | BaseException] = queue.Queue()
        self._readers = [threading.Thread(target=job, daemon=True) for job in (self._listen, self._said.hear)]
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        for thread in (*self._readers, self._watcher):
            thread.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a request and wait for its answer."""
        self.send(do, **arguments)
        return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Send a request; its answer must be received before the next one is sent.

        Where that fails the child is killed: its owner may not have come to the ``with`` block yet.
        """
        try:
            self._wait_until_ready()
            self._doing = do
            messages.write(_stream(self._process.stdin), {"do": do, "with": arguments})
        except OSError as error:
            raise self._death(error) from error
        except BaseException:
            self.close()
            raise

    def receive(self) -> Any:
        """Wait for the answer to the last request; silence longer than the timeout is a hang."""
        while True:
            message = self._next()
            if "progress" in message:
                self.on_progress(*message["progress"])
            elif "error" in message:
                raise getattr(errors, message["error"]["kind"])(message["error"]["message"])
            else:
                return message["answer"]

    def close(self) -> None:
        """Kill the child and all that it started."""
        if self._process.poll() is None:
            self._process.kill()
        self._watcher.join()
        streams = [self._process.stdin, self._lifeline]
        for reader, stream in zip(self._readers, (self._process.stdout, self._process.stderr), strict=True):
            streams += [] if reader.is_alive() else [stream]
        for stream in streams:
            with contextlib.suppress(OSError):  # a frame was cut short by the kill
                _stream(stream).close()

    def _start(self) -> subprocess.Popen[bytes]:
        theirs, ours = os.pipe()
        self._lifeline = os.fdopen(ours, "wb")
        try:
            return subprocess.Popen(
                [self._python, "-u", str(CHILD), str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**_environment(self._mark), **self._variables},
                pass_fds=[theirs],
                start_new_session=True,
            )
        except OSError as error:
            self._lifeline.close()
            raise errors.UsageError(
                f"{self.label}: cannot start the interpreter {self._python}: {error.strerror}. {NEEDED}"
            ) from error
        finally:
            os.close(theirs)

    def _wait_until_ready(self) -> None:
        if not self._ready:
            self._doing = "start"
            self._ready = bool(self._next()["ready"])

    def _next(self) -> dict[str, Any]:
        try:
            message = self._answers.get(timeout=self.timeout)
        except queue.Empty:
            raise self._hang() from None
        if isinstance(message, BaseException):
            raise self._death(message) from message
        return message

    def _listen(self) -> None:
        try:
            while True:
                self._answers.put(messages.read(_stream(self._process.stdout)))
        except EOFError:
            pass  # the watcher knows more
        except Exception as error:
            self._process.kill()  # nothing that follows on the line could be understood
            self._answers.put(error)

    def _watch(self) -> None:
        """End what a dead child leaves behind, and say that it is dead after all that it said before."""
        self._process.wait()
        end_family(self._process.pid, self._mark)
        for reader in self._readers:
            reader.join(timeout=2)  # a process that nobody can find may still hold the other end
        self._answers.put(EOFError("the child process has ended"))

    def _death(self, error: BaseException) -> errors.SamestepError:
        how = self._how_it_ended(error)
        self.close()
        if self._ready:
            return errors.WorkerError(
                f"{self.label}: its process {how} during {self._doing!r}. It should stay alive and answer."
                f"{self._said.quote()}"
            )
        who = f"{self.label}: the interpreter {self._python}"
        if self._process.returncode == NO_NUMPY:
            return errors.UsageError(f"{who} has no NumPy; give it one: {self._python} -m pip install numpy")
        return errors.UsageError(f"{who} could not be used, it {how}. {NEEDED}{self._said.quote()}")

    def _how_it_ended(self, error: BaseException) -> str:
        if isinstance(error, ValueError):
            return f"garbled the line ({error})"
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=2)
            self._watcher.join()
            return f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit status {code}"
        self.close()
        return "closed the line"

    def _hang(self) -> errors.WorkerError:
        if self._ready:
            self._process.send_signal(signal.SIGUSR1)  # faulthandler writes where it is
            threading.Event().wait(0.5)
        self.close()
        return errors.WorkerError(
            f"{self.label}: no answer to {self._doing!r} for {self.timeout:g} s, so its process was ended. "
            f"If it is only slow, allow more with --timeout SECONDS.{self._said.quote()}"
        )


def _stream(stream: IO[bytes] | None) -> BinaryIO:
    return cast(BinaryIO, stream)


def signal_name(number: int) -> str:
    """A signal by its name, for a message."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _environment(mark: str) -> dict[str, str]:
    """This process's environment for a child.

    OpenMP's threads are to sleep while they wait: two programs at once would spin for the same cores. Their number stays.
    """
    return {"TF_CPP_MIN_LOG_LEVEL": "2", "OMP_WAIT_POLICY": "PASSIVE", **inherited.environment(), MARK: mark}
