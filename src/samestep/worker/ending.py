"""Ending a child process together with everything it started, wherever those processes went.

Used by the parent, and inside the user's interpreter: Python 3.7, standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal

MARK = "SAMESTEP_WORKER"
"""The environment entry that a child and all that it starts inherit; its value is one child's own."""
ROUNDS = 20
"""A process may start another while it is being ended; so many times is looked again."""
GONE = contextlib.suppress(ProcessLookupError, PermissionError)


def end_family(group: int, mark: str) -> None:
    """Kill a child's process group, and the processes that left the group but inherited its mark.

    Without a /proc to read the marks from, the group alone is ended.
    """
    with GONE:
        os.killpg(group, signal.SIGKILL)
    for _ in range(ROUNDS):
        left = _marked("{}={}".format(MARK, mark).encode())
        if not left:
            return
        for pid in left:
            with GONE:
                os.kill(pid, signal.SIGKILL)


def guard(lifeline: int, group: int, mark: str) -> None:
    """Fork a process that ends the family as soon as the other end of the lifeline is closed.

    That happens however the parent ends. The guard is a process and not a thread, because a program stuck in C code
    lets no thread run, and a grandchild of init, because the program may wait for all of its own children.
    """
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        os.close(lifeline)
        return
    if os.fork() == 0:
        _keep_watch(lifeline, group, mark)
    os._exit(0)


def _keep_watch(lifeline: int, group: int, mark: str) -> None:
    os.setsid()  # out of the group that it is to kill
    for descriptor in range(3):
        os.dup2(lifeline, descriptor)
    os.closerange(3, lifeline + 64)
    while os.read(0, 1):
        pass
    end_family(group, mark)
    os._exit(0)


def _marked(entry: bytes) -> list[int]:
    """The living processes, this one apart, whose environment holds the entry."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []
    return [pid for pid in pids if pid != os.getpid() and entry in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        with open("/proc/{}/environ".format(pid), "rb") as stream:
            return stream.read()
    except OSError:
        return b""  # it has ended, or is another user's
