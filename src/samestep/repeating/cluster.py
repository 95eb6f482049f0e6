"""The engine of a Ray cluster: one run a CPU of it, results as they finish; a run whose worker is lost is run again.

The runs are those of the engine of processes, in processes that Ray's workers start, so their values are the same.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from samestep import __version__
from samestep.data import Split
from samestep.errors import SamestepError, UsageError, WorkerError
from samestep.repeating.one_run import Outcome, Task, one_run
from samestep.repeating.processes import cores

SHIPPED = ("CUDA_", "JAX_", "KERAS_", "KMP_", "MKL_", "OMP_", "PYTORCH_", "TF_", "TORCH_", "XLA_")
"""How variables begin that choose what a framework computes with; they go to other machines with each run."""
QUIET = 5.0
"""Seconds without a result after which it is asked whether the cluster is still there."""
KEPT = "The values so far are kept; start again to go on."
TRIES = 5
"""How many workers a run may lose before it counts as failed: it may be what ends them."""


def outcomes(
    tasks: Sequence[Task], rows: Split | None, *, workers: int | None = None, address: str | None = None
) -> Iterator[tuple[Task, Outcome]]:
    """Run them all, and give each as it finishes; a local cluster of this engine's own is ended with it.

    address: of a running cluster, "auto" for the one of this machine. Raises UsageError where there is none, and WorkerError
    where it is lost.
    """
    ray = _ray()
    shipped = {name: value for name, value in os.environ.items() if name.startswith(SHIPPED)}
    with _cluster(ray, address, workers or cores()):
        centre = ray.get_runtime_context().gcs_address
        held = ray.put(rows)
        remote = ray.remote(num_cpus=1, max_retries=0)(_run)
        ahead = deque((replace(task, environment={**shipped, **task.environment}), TRIES) for task in tasks)
        waiting: dict[Any, tuple[Task, int]] = {}
        while ahead or waiting:
            while ahead and len(waiting) < (workers or len(tasks)):
                task, tries = ahead.popleft()
                waiting[remote.remote(task, held, __version__)] = task, tries
            for reference in _finished(ray, waiting, centre):
                task, tries = waiting.pop(reference)
                outcome = _received(ray, reference, task, tries)
                if outcome is None:
                    ahead.append((task, tries - 1))
                else:
                    yield task, outcome


def _finished(ray: Any, waiting: Iterable[Any], centre: str) -> list[Any]:
    """One that has finished, or none so far.

    Raises WorkerError where the cluster is gone: Ray would wait for a minute, and then end this process by itself.
    """
    found: list[Any] = ray.wait(list(waiting), num_returns=1, timeout=QUIET)[0]
    if not found:
        try:
            _connect(centre)
        except OSError as error:
            raise WorkerError(f"the Ray cluster at {centre} is lost: {error}. {KEPT}") from error
    return found


def _run(task: Task, rows: Split | None, version: str) -> Outcome | SamestepError:
    """What a worker of the cluster does; errors that meet every seed are handed back as they are."""
    if version != __version__:
        return UsageError(
            f"a machine of the cluster has samestep {__version__}, this one {version}. Install one of them."
        )
    try:
        return one_run(task, rows)
    except SamestepError as error:
        return error


def _received(ray: Any, reference: Any, task: Task, tries: int) -> Outcome | None:
    """The outcome, or None where the run is to be tried again, as its worker was lost."""
    try:
        found: Outcome | SamestepError = ray.get(reference)
    except _losses(ray) as error:
        if tries > 1:
            return None
        return Outcome(task.seed, {}, f"{task.group.name}: {TRIES} workers of the cluster were lost in it: {error}")
    except ray.exceptions.RayTaskError as error:
        raise WorkerError(
            f"{task.group.name}: a worker of the cluster could not begin a run: {error.cause or error}\n"
            "samestep, in this version, and the program's files should be on each of its machines, at the same place."
        ) from error
    except ray.exceptions.RayError as error:
        raise WorkerError(f"the Ray cluster is lost: {error}\n{KEPT}") from error
    if isinstance(found, SamestepError):
        raise found
    return found


def _losses(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises where a worker or its machine was lost, or ended for want of memory."""
    found = ray.exceptions
    return found.WorkerCrashedError, found.NodeDiedError, found.ObjectLostError, found.OutOfMemoryError


@contextmanager
def _cluster(ray: Any, address: str | None, workers: int) -> Iterator[None]:
    """Join the cluster at the address, or start one on this machine for the time of the block."""
    if ray.is_initialized():
        yield
        return
    _check_reachable(address)
    own = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises ConnectionError, ValueError, RuntimeError, …
        where = (
            f"--address {address}: no Ray cluster could be joined"
            if address
            else "no local Ray cluster could be started"
        )
        raise UsageError(f"{where}: {str(error).strip() or type(error).__name__}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Raise UsageError at once where nobody answers, which Ray itself would try for minutes."""
    if address is None or ":" not in address:
        return
    try:
        _connect(address)
    except (OSError, ValueError) as error:
        raise UsageError(f"--address {address}: no Ray cluster could be joined: {error}. Give HOST:PORT.") from error


def _connect(address: str) -> None:
    """Raise OSError where nobody answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # accelerators are seen as they are without Ray
    try:
        import ray
    except ImportError as error:
        raise UsageError("--engine ray needs Ray. Install it: python -m pip install 'samestep[ray]'") from error
    return ray
