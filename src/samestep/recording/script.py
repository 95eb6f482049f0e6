"""Runs a user's script as Python would, seeded or while its training is recorded: script.py LINE OPTIONS SCRIPT [ARGS].

Started as a plain script by any interpreter from Python 3.7 on, with NumPy beside it. LINE is the file descriptor that messages
are written to, OPTIONS as JSON: under "record" the arguments of the Recorder, under "seed" those of Seeding.begin.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import sys
import types
from typing import Any, Callable

Send = Callable[[Any], None]


def main() -> None:
    """Seed, hook what the script may import, run it, and hand on the last rows however it ends."""
    line, options, script = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    _make_samestep_importable()
    _need_numpy()
    send = _sender(line)
    watch = json.loads(_read(options["watch"])) if "watch" in options else None
    end = _record(send, options["record"], watch) if "record" in options else _let_it_end
    sys.argv[:] = sys.argv[3:]
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    if "seed" in options:
        _seed(send, options["seed"])
    _run(script, end, watch["edits"] if watch else {})


def _make_samestep_importable() -> None:
    """Import this very samestep without putting the folder it is installed in on the path, which may be another Python's."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = [package]
    spec = importlib.util.spec_from_file_location(
        "samestep", os.path.join(package, "__init__.py"), submodule_search_locations=places
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["samestep"] = module
    spec.loader.exec_module(module)


def _need_numpy() -> None:
    from samestep.worker.child import NO_NUMPY

    if importlib.util.find_spec("numpy") is None:
        sys.exit(NO_NUMPY)


def _sender(line: int) -> Send:
    from samestep.worker import messages

    stream = os.fdopen(line, "wb", buffering=1 << 16)
    return lambda message: messages.write(stream, message)


def _let_it_end(status: int) -> None:
    """Nothing has to be handed on."""


def _seed(send: Send, options: Any) -> None:
    """Seed, last of all before the script begins, and send what was seeded, anew whenever a framework has been imported."""
    from samestep.seeding.seeds import Seeding

    own = os.getpid()

    def tell(report: Any) -> None:
        if os.getpid() == own:  # what the script forks has the line too
            with contextlib.suppress(OSError):  # who asked is gone: the script goes on
                send({"seeded": report.to_json()})

    tell(Seeding(tell).begin(**options))


def _record(send: Send, options: Any, watch: Any) -> Callable[[int], None]:
    from samestep.frameworks import _recording
    from samestep.recording.recorder import Recorder

    recorder = Recorder(send, **options)
    recorder.begin()
    _recording.hook(recorder)
    end = recorder.end if watch is None else _watched(watch, recorder)
    leave = os._exit

    def exit_at_once(status: int) -> None:
        end(status)
        leave(status)

    os._exit = exit_at_once  # type: ignore[assignment]
    return end


def _watched(options: Any, recorder: Any) -> Callable[[int], None]:
    """Watch what may differ from run to run as well, for samestep check; returns what ends both."""
    from samestep.watching.install import install

    finish = install(options, lambda: recorder.step)

    def end(status: int) -> None:
        finish()
        recorder.end(status)

    return end


def _run(script: str, end: Callable[[int], None], edits: Any) -> None:
    if sys.version_info >= (3, 9):
        script = os.path.abspath(script)
    main_module: Any = types.ModuleType("__main__")
    main_module.__file__, main_module.__cached__ = script, None
    main_module.__builtins__, main_module.__annotations__ = builtins, {}
    main_module.__loader__ = importlib.machinery.SourceFileLoader("__main__", script)
    sys.modules["__main__"] = main_module
    state = {"status": 0}
    atexit.register(lambda: end(state["status"]))  # what the script itself registers comes before it
    try:
        code = compile(edits.get(os.path.realpath(script)) or _read(script), script, "exec", dont_inherit=True)
        exec(code, main_module.__dict__)
    except SystemExit as error:
        state["status"] = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    except BaseException as error:
        state["status"] = 130 if isinstance(error, KeyboardInterrupt) else 1
        trace = error.__traceback__
        error = error.with_traceback(trace.tb_next if trace is not None else None)  # without this function's frame
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(state["status"])


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
