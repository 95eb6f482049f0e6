"""The engine of processes: one run a core of this machine, results as they finish."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from weakref import WeakSet

from samestep.data import Split
from samestep.errors import WorkerError
from samestep.repeating.one_run import Outcome, Process, Task, one_run


def outcomes(
    tasks: Sequence[Task], rows: Split | None, *, workers: int | None = None
) -> Iterator[tuple[Task, Outcome]]:
    """Run them all, and give each as it finishes; what is running when the iterator is closed is ended."""
    running = _Running()
    with ThreadPoolExecutor(workers or cores()) as pool:
        futures = {pool.submit(one_run, task, rows, running.add): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
        finally:
            running.close()
            pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Running:
    """The processes that are running, to be ended all at once."""

    def __init__(self) -> None:
        self._lock, self._processes, self._closed = threading.Lock(), WeakSet[Process](), False

    def add(self, process: Process) -> None:
        with self._lock:
            self._processes.add(process)
            closed = self._closed
        if closed:
            raise WorkerError("this run began when all were being ended.")

    def close(self) -> None:
        with self._lock:
            self._closed, processes = True, list(self._processes)
        for process in processes:
            process.close()
