"""The number of threads that libraries compute with; as a switch, one, whatever the script itself asks for."""

from __future__ import annotations

import functools
import os
from typing import Any

from samestep.recording.imports import when_imported
from samestep.watching.tape import Tape

ONE_THREAD = "one thread"
"""The switch."""
VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
"""Of the environment, by which libraries are told; they are set before the process begins."""


def install(tape: Tape) -> None:
    """Keep the variables as they are from now on, and PyTorch's number at one, if that is wanted."""
    if ONE_THREAD not in tape.switches:
        return
    kind: Any = type(os.environ)
    kind.__setitem__ = _without(kind.__setitem__)
    when_imported({"torch": _torch, "threadpoolctl": _threadpools})


def _without(original: Any) -> Any:
    @functools.wraps(original)
    def put(self: Any, key: Any, value: Any) -> None:
        if key not in VARIABLES:
            original(self, key, value)

    return put


def _torch(torch: Any) -> None:
    torch.set_num_threads(1)
    torch.set_num_threads = lambda number: None


def _threadpools(module: Any) -> None:
    original = module.threadpool_limits.__init__

    @functools.wraps(original)
    def limit(self: Any, limits: Any = None, user_api: Any = None) -> None:
        original(self, 1 if isinstance(limits, int) else limits, user_api)

    module.threadpool_limits.__init__ = limit
