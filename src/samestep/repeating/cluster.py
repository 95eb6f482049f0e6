"""The engine of a Ray cluster: one run a CPU of it, results as they finish; a run whose worker is lost is run again.

The runs are those of the engine of processes, in processes that Ray's workers start, so their values are the same.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
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
        held = ray.put(rows)
        remote = ray.remote(num_cpus=1, max_retries=0)(_run)
        waiting: dict[Any, tuple[Task, int]] = {}

        def submit(task: Task, tries: int) -> None:
            reference = remote.remote(replace(task, environment={**shipped, **task.environment}), held, __version__)
            waiting[reference] = task, tries

        for task in tasks:
            submit(task, TRIES)
        while waiting:
            for reference in ray.wait(list(waiting), num_returns=1)[0]:
                task, tries = waiting.pop(reference)
                outcome = _received(ray, reference, task, tries)
                if outcome is None:
                    submit(task, tries - 1)
                else:
                    yield task, outcome


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
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError) as error:
        if tries > 1:
            return None
        return Outcome(task.seed, {}, f"{task.group.name}: {TRIES} workers of the cluster were lost in it: {error}")
    except ray.exceptions.RayTaskError as error:
        raise WorkerError(
            f"{task.group.name}: a worker of the cluster could not begin a run: {error.cause or error}\n"
            "samestep, in this version, and the program's files should be on each of its machines, at the same place."
        ) from error
    except ray.exceptions.RayError as error:
        raise WorkerError(
            f"the Ray cluster is lost: {error}\nThe values so far are kept; start again to go on."
        ) from error
    if isinstance(found, SamestepError):
        raise found
    return found


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
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UsageError(f"--address {address}: no Ray cluster could be joined: {error}. Give HOST:PORT.") from error


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # accelerators are seen as they are without Ray
    try:
        import ray
    except ImportError as error:
        raise UsageError("--engine ray needs Ray. Install it: python -m pip install 'samestep[ray]'") from error
    return ray
