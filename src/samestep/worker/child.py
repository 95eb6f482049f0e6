"""The child process: loads one program and answers the parent's requests about it.

Started as a plain script by any interpreter from Python 3.7 on, with NumPy beside it. Requests come
on standard input and answers go to what was standard output; the program's own printing is sent
to standard error, so that it can never garble the line.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import os
import signal
import sys
from typing import Any, BinaryIO

NO_NUMPY = 96
"""The exit status of a child whose interpreter has no NumPy."""


def main() -> None:
    """Say that it is ready, then answer requests until the line is closed."""
    if importlib.util.find_spec("numpy") is None:
        sys.exit(NO_NUMPY)
    incoming, outgoing = _take_over_stdio()
    _make_samestep_importable()
    _guard_against_orphans(int(sys.argv[1]))
    said = os.dup(2)  # the program may close or redirect its own
    faulthandler.enable(said)
    faulthandler.register(signal.SIGUSR1, said)  # the parent asks where a hanging child is

    from samestep.worker import messages
    from samestep.worker.answers import Session

    session = Session(lambda done, total: messages.write(outgoing, {"progress": [done, total]}))
    messages.write(outgoing, {"ready": True})
    while True:
        _answer(session, messages.read(incoming), outgoing)


def _answer(session: Any, request: Any, outgoing: BinaryIO) -> None:
    from samestep.worker import messages

    try:
        messages.write(outgoing, session.answer(request))
    except (TypeError, ValueError) as error:  # raised before anything is written
        message = "{}: its answer to {!r} cannot be sent: {}".format(session.label, request["do"], error)
        messages.write(outgoing, {"error": {"kind": "ProgramError", "message": message}})


def _take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    incoming = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    outgoing = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = open(0, closefd=False)
    return incoming, outgoing


def _make_samestep_importable() -> None:
    """Import this very samestep without putting the folder it is installed in on the path.

    That folder may be the site-packages of another Python, whose NumPy would be found first.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.join(package, "worker")]
    spec = importlib.util.spec_from_file_location(
        "samestep", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["samestep"] = module
    spec.loader.exec_module(module)


def _guard_against_orphans(lifeline: int) -> None:
    from samestep.worker.ending import MARK, guard

    guard(lifeline, os.getpid(), os.environ[MARK])


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        os._exit(0)  # the parent is done, and has no use for what frameworks do on leaving
