"""The child process: loads one program and answers the parent's requests about it.

Started as a plain script by any interpreter from Python 3.7 on, with NumPy beside it. Requests come
on standard input and answers go to what was standard output; the program's own printing is sent
to standard error, so that it can never garble the line.
"""

import faulthandler
import os
import queue
import signal
import sys
import threading


def main():
    """Answer requests until the line is closed."""
    incoming, outgoing = _take_over_stdio()
    _make_samestep_importable()
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)  # the parent asks where a hanging child is

    from samestep.worker import messages
    from samestep.worker.answers import Session

    requests = queue.Queue()
    threading.Thread(target=_listen, args=(messages, incoming, requests), daemon=True).start()
    session = Session(lambda done, total: messages.write(outgoing, {"progress": [done, total]}))
    while True:
        messages.write(outgoing, session.answer(requests.get()))


def _take_over_stdio():
    incoming = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    outgoing = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = open(0, closefd=False)
    return incoming, outgoing


def _make_samestep_importable():
    """Import this very samestep without putting the folder it is installed in on the path.

    That folder may be the site-packages of another Python, whose NumPy would be found first.
    """
    import importlib.util

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.join(package, "worker")]
    spec = importlib.util.spec_from_file_location(
        "samestep", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["samestep"] = module
    spec.loader.exec_module(module)


def _listen(messages, incoming, requests):
    """Hand on requests; when the parent is gone, end this process and all that it started."""
    try:
        while True:
            requests.put(messages.read(incoming))
    except BaseException:
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


if __name__ == "__main__":
    main()
