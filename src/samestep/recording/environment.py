"""What the process that trains runs on: versions, machine, flags, state of the working tree."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import Any, Dict

FLAGS = (
    "CUDA_",
    "CUBLAS_",
    "JAX_",
    "KERAS_",
    "MKL_",
    "OMP_",
    "OPENBLAS_",
    "PYTHONHASHSEED",
    "PYTORCH_",
    "TF_",
    "THEANO_",
    "TORCH_",
    "XLA_",
)
"""Beginnings of the names of environment variables that may change a training."""


def environment() -> Dict[str, Any]:
    """What is known now; packages are those that the script has imported so far."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": _cpus(),
        "flags": {name: value for name, value in sorted(os.environ.items()) if name.startswith(FLAGS)},
        "packages": _packages(),
        "accelerators": _accelerators(),
        "git": _git(),
    }


def _packages() -> Dict[str, str]:
    found = {}
    for name, module in sorted(sys.modules.items()):
        version = None if "." in name or name.startswith("_") else getattr(module, "__dict__", {}).get("__version__")
        if isinstance(version, str):
            found[name] = version
    return found


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _accelerators() -> Any:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _git() -> Dict[str, Any]:
    """Commit of the working tree and whether it holds changes; nothing where there is none, or no git."""
    commit = _git_says("rev-parse", "HEAD")
    return {"commit": commit.strip(), "changed": bool(_git_says("status", "--porcelain"))} if commit else {}


def _git_says(*words: str) -> str:
    try:
        done = subprocess.run(("git", *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
