"""Runs a user's script as Python would, while its training is recorded: script.py LINE OPTIONS SCRIPT [ARGS].

Started as a plain script by any interpreter from Python 3.7 on, with NumPy beside it. LINE is the file descriptor that the
rows are written to, OPTIONS the arguments of the Recorder as JSON.
"""

from __future__ import annotations

import atexit
import builtins
import importlib.util
import json
import os
import sys
import types
from typing import Any


def main() -> None:
    """Hook what the script may import, run it, and hand on the last rows however it ends."""
    line, options, script = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    _make_samestep_importable()
    _need_numpy()
    watch = options.pop("watch", None)
    recorder = _recorder(line, options)
    sys.argv[:] = sys.argv[3:]
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    if watch is not None:
        _watch(script, watch, recorder)
    _run(script, recorder, (watch or {}).get("edits", {}))


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


def _recorder(line: int, options: Any) -> Any:
    from samestep.frameworks import _recording
    from samestep.recording.recorder import Recorder
    from samestep.worker import messages

    stream = os.fdopen(line, "wb", buffering=1 << 16)
    recorder = Recorder(lambda message: messages.write(stream, message), **options)
    leave = os._exit

    def exit_at_once(status: int) -> None:
        recorder.end(status)
        leave(status)

    os._exit = exit_at_once  # type: ignore[assignment]
    recorder.begin()
    _recording.hook(recorder)
    return recorder


def _watch(script: str, options: Any, recorder: Any) -> None:
    """Watch what may differ from run to run as well, for samestep check."""
    from samestep.watching.install import install

    finish, end = install(script, options, lambda: recorder.step), recorder.end

    def end_of_both(status: int) -> None:
        finish()
        end(status)

    recorder.end = end_of_both


def _run(script: str, recorder: Any, edits: Any) -> None:
    main_module = types.ModuleType("__main__")
    main_module.__file__ = script
    main_module.__builtins__ = builtins  # type: ignore[attr-defined]
    sys.modules["__main__"] = main_module
    state = {"status": 0}
    atexit.register(lambda: recorder.end(state["status"]))  # what the script itself registers comes before it
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


def _read(script: str) -> bytes:
    with open(script, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
