"""One run of one seed, in a fresh process of one thread. Every engine of processes calls this, on whatever machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from samestep.data import Split
from samestep.errors import FrameworkMissing, SamestepError, UsageError, WorkerError
from samestep.recording import METRICS_VARIABLE
from samestep.repeating.printed import Printed
from samestep.repeating.sources import SEED_FIELD, SEED_VARIABLE, Repeated
from samestep.worker import inherited
from samestep.worker.ending import MARK, end_family
from samestep.worker.last_words import LastWords
from samestep.worker.parent import Worker, signal_name

GUARDED = Path(__file__).parents[1] / "worker" / "guarded.py"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NPROC": "1",  # XLA's pool: xla/pjrt/utils.cc, DefaultThreadPoolSize
}
"""Limits of threads, without which sums would be grouped by the number of cores."""


@dataclass(frozen=True)
class Task:
    """A seed of a group, and how it is run."""

    group: Repeated
    seed: int
    batch_size: int
    epochs: int
    metric: str | None
    timeout: float
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """What its process finds set beside the environment that it inherits."""
        own = {"PYTHONHASHSEED": str(self.seed), SEED_VARIABLE: str(self.seed)}
        if self.group.source is not None:
            own = {"PYTHONHASHSEED": "0", **dict(self.group.source.environment)}
        return {**self.environment, **ONE_THREAD, **own}


@dataclass(frozen=True)
class Outcome:
    """What came of a run: metrics by name, or the error; versions of what ran it."""

    seed: int
    metrics: dict[str, float]
    error: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)


class Process(Protocol):
    """What can be ended from outside."""

    def close(self) -> None:
        """End it and all that it started."""


Started = Callable[[Process], None]
"""Told of each process as it starts, so that it can be ended."""


def one_run(task: Task, rows: Split | None, started: Started = lambda process: None) -> Outcome:
    """Run it and wait for what comes of it.

    Raises UsageError and FrameworkMissing, which would meet every seed alike; other errors are the outcome of this one.
    """
    begun = time.monotonic()
    try:
        run = _of_script if task.group.source is None else _of_program
        metrics, versions = run(task, rows, started)
    except (UsageError, FrameworkMissing):
        raise
    except SamestepError as error:
        return Outcome(task.seed, {}, str(error), time.monotonic() - begun)
    return Outcome(task.seed, metrics, "", time.monotonic() - begun, versions)


def _of_program(task: Task, rows: Split | None, started: Started) -> tuple[dict[str, float], dict[str, str]]:
    source, group = task.group.source, task.group
    assert source is not None
    assert rows is not None
    parts = {"train": [rows.train.x, rows.train.y], "held": [rows.held.x, rows.held.y]}
    how = {"seed": task.seed, "batch_size": task.batch_size, "epochs": task.epochs}
    with Worker(group.name, python=group.python, timeout=task.timeout, environment=task.variables()) as worker:
        started(worker)
        answer = worker.ask("plain_run", source={**asdict(source), "label": group.name}, **parts, **how)
    return answer["metrics"], answer["versions"]


def _of_script(task: Task, rows: Split | None, started: Started) -> tuple[dict[str, float], dict[str, str]]:
    with _Script(task) as script:
        started(script)
        return script.metrics(), {}


class _Script:
    """A script that is running, as its user would run it; closing it ends it and all that it started."""

    def __init__(self, task: Task) -> None:
        self.task, self._mark, self._closing = task, uuid.uuid4().hex, threading.Lock()
        self._written = tempfile.NamedTemporaryFile(prefix="samestep-metrics-")  # noqa: SIM115 - closed in close
        self._process = self._start()
        self._streams = [_Heard(cast(BinaryIO, s), task.metric) for s in (self._process.stderr, self._process.stdout)]

    def __enter__(self) -> _Script:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def metrics(self) -> dict[str, float]:
        """Wait for its end; the numbers that it printed, by name. Raises WorkerError where it fails, hangs or prints none."""
        hung, name = not self._ended_in_time(), self.task.group.name
        end_family(self._process.pid, self._mark)
        status = self._process.wait()
        for stream in self._streams:
            stream.reader.join(timeout=2)  # a process that nobody can find may still hold the other end
        if hung:
            more = "If it is only slow, allow more with --timeout SECONDS."
            raise WorkerError(f"{name}: said nothing for {self.task.timeout:g} s and was ended. {more}{self._words()}")
        if status:
            how = f"was killed by {signal_name(-status)}" if status < 0 else f"ended with exit status {status}"
            raise WorkerError(f"{name}: {how}.{self._words()}")
        printed = [stream.printed for stream in self._streams] + [self._metrics_file()]
        found = {name: number for one in printed for name, number in one.numbers.items()}
        if not found:
            expected = "It should print one at its end, such as val_accuracy: 0.91."
            raise WorkerError(f"{name}: printed no metric. {expected}{self._words()}")
        return found

    def close(self) -> None:
        """End it and all that it started; the second time nothing happens, as its number may be another process's by then."""
        if self._closing.acquire(blocking=False):
            end_family(self._process.pid, self._mark)
            self._process.wait()
            for stream in self._streams:
                stream.close()
            self._lifeline.close()
            self._written.close()

    def _start(self) -> subprocess.Popen[bytes]:
        theirs, ours = os.pipe()
        self._lifeline = os.fdopen(ours, "wb")
        group, seed = self.task.group, str(self.task.seed)
        arguments = [argument.replace(SEED_FIELD, seed) for argument in group.arguments]
        own = {"PYTHONUNBUFFERED": "1", METRICS_VARIABLE: self._written.name, MARK: self._mark}
        try:
            return subprocess.Popen(
                [group.interpreter, str(GUARDED), str(theirs), group.script, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**inherited.environment(), **self.task.variables(), **own},
                pass_fds=[theirs],
                start_new_session=True,
            )
        except OSError as error:
            self._lifeline.close()
            self._written.close()
            raise UsageError(f"cannot start the interpreter {group.interpreter}: {error.strerror}.") from error
        finally:
            os.close(theirs)

    def _metrics_file(self) -> Printed:
        """What it wrote to the file that it was given for its metrics."""
        found = Printed(self.task.metric)
        with contextlib.suppress(OSError):
            found.hear(Path(self._written.name).read_text(encoding="utf-8", errors="replace"))
        found.end()
        return found

    def _ended_in_time(self) -> bool:
        while True:
            left = max(stream.at for stream in self._streams) + self.task.timeout - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=left)
                return True

    def _words(self) -> str:
        """What it said at last: on standard error, or else on standard output."""
        quotes = [stream.words.quote() for stream in self._streams]
        return next((quote for quote in quotes if "\n" in quote), quotes[0])


class _Heard:
    """One of its output streams, read as it comes: the numbers printed there, its last words, and when it last said something."""

    def __init__(self, stream: BinaryIO, metric: str | None) -> None:
        self._stream, self.printed, self.at = stream, Printed(metric), time.monotonic()
        self.words = LastWords(cast(BinaryIO, self))
        self.reader = threading.Thread(target=self.words.hear, daemon=True)
        self.reader.start()

    def read1(self) -> bytes:
        """The next bytes, which its last words are taken from too."""
        heard: bytes = self._stream.read1()  # type: ignore[attr-defined]
        self.at = time.monotonic()
        if heard:
            self.printed.hear(heard.decode("utf-8", "replace"))
        else:
            self.printed.end()
        return heard

    def close(self) -> None:
        """Close it, unless a process that nobody can find still holds the other end."""
        self.reader.join(timeout=2)
        if not self.reader.is_alive():
            self._stream.close()
